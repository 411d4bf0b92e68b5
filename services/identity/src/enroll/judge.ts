import { createHash } from "node:crypto";
import { verifyEd25519 } from "@sallyport/evidence";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { enrollmentStatement, loginStatement } from "@sallyport/proto/signing";
import { type KeyLife, standingOf } from "../devices/device-key.ts";
import { parseGlob } from "../tokens/glob.ts";
import { nameMachine } from "../machines/name.ts";
import { refusalOf, stateOf } from "../machines/state.ts";
import { isInside } from "../tokens/cidr.ts";
import type { LoginCode } from "../login-codes/store.ts";
import type { Machine } from "../machines/store.ts";
import type { Token } from "../tokens/store.ts";

/** Which check refused an enrollment; the record says so, the caller is not told. */
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

/** A refusal: the reason and metadata told to the caller, and the step for the record. */
export type Verdict = {
  readonly reason: Reason;
  readonly step: RefusedStep;
  readonly metadata?: Readonly<Record<string, string>>;
};

/**
 * What an enrollment is judged by besides its proof: when and from where it came, and how the
 * machine calls itself.
 */
export type Attempt = {
  readonly nowMs: number;
  readonly sourceIp: string;
  readonly hostname: string;
  /** The name asked for, or empty. */
  readonly machineName: string;
  /** The id that the machine gets if it is made. */
  readonly machineId: string;
};

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
 * Tells why an admission proves nothing, or undefined when it holds (SIGNING §8): the signer is the
 * admitted key, the token or code is known by the hash of its key, and that key signed the
 * statement. All are REQUEST_REJECTED, so that a stranger cannot tell an unknown token from a wrong
 * proof.
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

/**
 * Tells why a token makes no machine now, or undefined when it does, as far as the vault's other
 * machines do not matter. Only for callers that proved to hold the token.
 */
export function judgeToken(token: Token, attempt: Attempt): Verdict | undefined {
  if (token.revokedAt) return refused(Reason.TOKEN_REVOKED, "revoked");
  if (attempt.nowMs >= token.expiresAt.getTime()) return refused(Reason.TOKEN_EXPIRED, "expired");
  if (!isInside(attempt.sourceIp, token.sourceCidrs))
    return refused(Reason.TOKEN_SOURCE_REFUSED, "source");
  if (token.uses >= token.maxUses) return refused(Reason.TOKEN_EXHAUSTED, "exhausted");
  if (!matchesHost(token, attempt.hostname))
    return refused(Reason.TOKEN_HOSTNAME_REFUSED, "hostname");
  const name = nameMachine(token.machineNamePattern, attempt);
  return name === undefined ? refused(Reason.TOKEN_NAME_REFUSED, "name") : undefined;
}

/**
 * Tells why a key that is a machine already does not get it back with this token, or undefined when
 * it does: the token made it, is not revoked and enrolls from this address; the machine is neither
 * stopped nor past its time. Uses, the token's end and what the machine calls itself do not matter.
 */
export function judgeRetry(token: Token, machine: Machine, attempt: Attempt): Verdict | undefined {
  if (machine.tokenId !== token.tokenId) return rejected("key");
  if (token.revokedAt) return refused(Reason.TOKEN_REVOKED, "revoked");
  if (!isInside(attempt.sourceIp, token.sourceCidrs))
    return refused(Reason.TOKEN_SOURCE_REFUSED, "source");
  const refusal = refusalOf(stateOf(machine, attempt.nowMs));
  return refusal === Reason.UNSPECIFIED || refusal === undefined
    ? undefined
    : refused(refusal, "machine");
}

/** The verdict on a vault that has as many living machines as it may have. */
export function capReached(limit: number): Verdict {
  return { ...refused(Reason.MACHINE_CAP_REACHED, "cap"), metadata: { limit: String(limit) } };
}

/**
 * Tells why a login code does not let a device key in now, or undefined when it does. `redeemer` is
 * the key that redeemed it before: that one gets its user back while it works.
 */
export function judgeLoginCode(
  code: LoginCode,
  redeemer: (KeyLife & { readonly publicKey: Uint8Array }) | undefined,
  deviceKey: Uint8Array,
  nowMs: number,
): Verdict | undefined {
  if (code.revokedAt) return refused(Reason.TOKEN_REVOKED, "revoked");
  if (redeemer) {
    const itself =
      sameBytes(redeemer.publicKey, deviceKey) && standingOf(redeemer, nowMs) === "active";
    return itself ? undefined : refused(Reason.TOKEN_EXHAUSTED, "exhausted");
  }
  return nowMs < code.expiresAt.getTime() ? undefined : refused(Reason.TOKEN_EXPIRED, "expired");
}

/** The verdict that is the same for everything a stranger gets wrong. */
export function rejected(step: RefusedStep): Verdict {
  return { reason: Reason.REQUEST_REJECTED, step };
}

function matchesHost({ hostnamePattern }: Token, hostname: string): boolean {
  return hostnamePattern === "" || parseGlob(hostnamePattern, { anyCase: true }).matches(hostname);
}

function refused(reason: Reason, step: RefusedStep): Verdict {
  return { reason, step };
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
