import { createHash } from "node:crypto";
import { verifyEd25519 } from "@sallyport/evidence";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { enrollmentStatement, loginStatement } from "@sallyport/proto/signing";
import type { LoginCode } from "./store/login-codes.ts";
import type { Machine } from "./store/machines.ts";
import type { Token } from "./store/tokens.ts";

/** How long a device key works: 90 days, in milliseconds. */
export const deviceKeyLifetimeMs = 90 * 86_400_000;

/** Which check refused an enrollment; the record says so, the caller is not told. */
export type RefusedStep = "signer" | "token" | "proof" | "key" | "state";

/** A refusal: the reason told to the caller, and the step for the record. */
export type Verdict = { readonly reason: Reason; readonly step: RefusedStep };

/** What lets a new key in: which statement was signed, by which key, to admit which one. */
export type Admission = {
  readonly kind: "machine" | "device";
  /** The key that signed the request. */
  readonly signerKey: Uint8Array | undefined;
  readonly vaultId: string;
  readonly admittingKey: Uint8Array;
  readonly proof: Uint8Array;
  readonly admittedKey: Uint8Array;
};

/**
 * Tells why an admission proves nothing, or undefined when it holds (SIGNING §8): the signer is the admitted key, the
 * token or code is known by the hash of its key, and that key signed the statement. All are REQUEST_REJECTED, so that a
 * stranger cannot tell an unknown token from a wrong proof.
 */
export function judgeProof(
  admission: Admission,
  known: { readonly keySha256: Uint8Array } | undefined,
): Verdict | undefined {
  const { kind, signerKey, vaultId, admittingKey, proof, admittedKey } = admission;
  if (!signerKey || !sameBytes(signerKey, admittedKey)) return rejected("signer");
  if (!known || !sameBytes(known.keySha256, createHash("sha256").update(admittingKey).digest()))
    return rejected("token");
  const statementOf = kind === "machine" ? enrollmentStatement : loginStatement;
  const statement = statementOf(vaultId, admittingKey, admittedKey);
  return verifyEd25519(admittingKey, statement, proof) ? undefined : rejected("proof");
}

/** Tells why a token makes no machine now, or undefined when it does. Only for callers that proved to hold the token. */
export function judgeToken(token: Token, nowMs: number): Verdict | undefined {
  if (token.revokedAt) return refused(Reason.TOKEN_REVOKED);
  if (nowMs >= token.expiresAt.getTime()) return refused(Reason.TOKEN_EXPIRED);
  return token.uses < token.maxUses ? undefined : refused(Reason.TOKEN_EXHAUSTED);
}

/**
 * Tells why a key that is a machine already does not get it back with this token, or undefined when it does: the token
 * made it and is not revoked, the machine is neither stopped nor past its time. Uses and the token's end do not matter.
 */
export function judgeRetry(token: Token, machine: Machine, nowMs: number): Verdict | undefined {
  if (machine.tokenId !== token.tokenId) return rejected("key");
  if (token.revokedAt) return refused(Reason.TOKEN_REVOKED);
  if (machine.state === "disabled" || machine.state === "revoked") return refused(Reason.MACHINE_DISABLED);
  return nowMs < machine.expiresAt.getTime() ? undefined : refused(Reason.MACHINE_EXPIRED);
}

/**
 * Tells why a login code does not let a device key in now, or undefined when it does. `redeemer` is the key that
 * redeemed it before: that one gets its user back while it works.
 */
export function judgeLoginCode(
  code: LoginCode,
  redeemer: { readonly publicKey: Uint8Array; readonly expiresAt: Date } | undefined,
  deviceKey: Uint8Array,
  nowMs: number,
): Verdict | undefined {
  if (code.revokedAt) return refused(Reason.TOKEN_REVOKED);
  if (redeemer) {
    const itself = sameBytes(redeemer.publicKey, deviceKey) && nowMs < redeemer.expiresAt.getTime();
    return itself ? undefined : refused(Reason.TOKEN_EXHAUSTED);
  }
  return nowMs < code.expiresAt.getTime() ? undefined : refused(Reason.TOKEN_EXPIRED);
}

/** The name of a new machine: the one asked for, else its hostname when that can be a name, else the end of its id. */
export function nameMachine(asked: string, hostname: string, machineId: string): string {
  if (asked !== "") return asked;
  return machineNameForm.test(hostname) ? hostname : `machine-${machineId.slice(-8)}`;
}

/** The verdict that is the same for everything a stranger gets wrong. */
export function rejected(step: RefusedStep): Verdict {
  return { reason: Reason.REQUEST_REJECTED, step };
}

const machineNameForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

function refused(reason: Reason): Verdict {
  return { reason, step: "state" };
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
