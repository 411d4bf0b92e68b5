import { createHash } from "node:crypto";
import { verifyEd25519 } from "@sallyport/evidence";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { enrollmentStatement, loginStatement } from "@sallyport/proto/signing";

/** The check that refused an admission; the record names it, the answer does not. */
export type RefusedStep =
  | "signer"
  | "token"
  | "proof"
  | "key"
  | "revoked"
  | "expired"
  | "source"
  | "exhausted"
  | "hostname"
  | "name"
  | "cap"
  | "rate"
  | "machine";

/** A refusal: the reason and metadata of the answer, and the step for the record. */
export type Verdict = {
  readonly reason: Reason;
  readonly step: RefusedStep;
  readonly metadata?: Readonly<Record<string, string>>;
};

/** A claim to hold a token or login code: a statement signed by its key, for one new key. */
export type Claim = {
  readonly kind: "machine" | "device";
  /** The key that signed the request. */
  readonly signerKey: Uint8Array | undefined;
  readonly vaultId: string;
  readonly admittingKey: Uint8Array;
  readonly proof: Uint8Array;
  readonly admittedKey: Uint8Array;
};

/**
 * Returns why a claim proves nothing, or undefined when it holds (SIGNING §8): the signer is the
 * admitted key, the token or code is known by the hash of its key, and that key signed the
 * statement.
 *
 * Security: all are REQUEST_REJECTED, so that a caller without the token cannot tell an unknown
 * token from a wrong proof.
 */
export function judgeProof(
  claim: Claim,
  known: { readonly keySha256: Uint8Array } | undefined,
): Verdict | undefined {
  const { kind, signerKey, vaultId, admittingKey, proof, admittedKey } = claim;
  if (!signerKey || !sameBytes(signerKey, admittedKey)) return rejected("signer");
  if (!known || !sameBytes(known.keySha256, createHash("sha256").update(admittingKey).digest()))
    return rejected("token");
  const statementOf = kind === "machine" ? enrollmentStatement : loginStatement;
  const statement = statementOf(vaultId, admittingKey, admittedKey);
  return verifyEd25519(admittingKey, statement, proof) ? undefined : rejected("proof");
}

/** Returns the verdict on everything that an unproven caller gets wrong: always the same. */
export function rejected(step: RefusedStep): Verdict {
  return { reason: Reason.REQUEST_REJECTED, step };
}

/** Returns the verdict on a caller whose proof holds, for that reason. */
export function refused(reason: Reason, step: RefusedStep): Verdict {
  return { reason, step };
}

/** Compares two byte strings. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
