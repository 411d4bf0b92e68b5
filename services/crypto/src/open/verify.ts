import type { MacKey } from "@sallyport/evidence";
import type { OpenItem } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import type { PermitClaims } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { type Verifier, checkCredential, checkSignature, present } from "../evidence.ts";
import {
  checkAsked,
  checkDigest,
  checkMachine,
  checkPath,
  checkPermit,
  checkBindings,
  checkRecipient,
  checkSlips,
  decodeAsked,
} from "./steps.ts";

/** A secret that the machine may have, with the envelope that answers for it. */
export type VerifiedSecret = {
  readonly vaultId: string;
  readonly projectId: string;
  readonly secretId: string;
  readonly name: string;
  readonly version: number;
  /** The version that was asked for, 0 for the current one. */
  readonly requestedVersion: number;
  readonly envelope: Uint8Array;
  readonly wrappedProjectKey: Uint8Array;
};

/** A read that the machine signed and policy allowed, with the envelopes that answer it. */
export type VerifiedRead = {
  readonly machineId: string;
  /** The enrollment token that the machine came of, as identity says; empty when it does not. */
  readonly originId: string;
  readonly requestDigest: Uint8Array;
  readonly permit: PermitClaims;
  /** The secrets allowed, in the permit's order. */
  readonly secrets: readonly VerifiedSecret[];
  /** The X25519 key to seal to; absent, the machine asked for plaintext. */
  readonly recipient?: Uint8Array;
};

/**
 * The inputs of verifying a read: besides the rest, the keys that are shared with policy and
 * with secrets.
 */
export type ReadVerifier = Verifier & {
  readonly permitKeys: () => readonly MacKey[];
  readonly slipKeys: () => readonly MacKey[];
};

/**
 * Proves a read from its evidence alone, step by step, trusting neither gateway nor policy nor
 * secrets (SIGNING §10). Throws EvidenceError naming the step that does not hold. Opens, records
 * and decrypts nothing.
 */
export function verifyRead(item: OpenItem, verifier: ReadVerifier): VerifiedRead {
  const nowMs = verifier.clock();
  const signed = present("signature", item.signedRequest);

  const machine = checkCredential(item.credential, verifier, nowMs);
  checkMachine(machine);
  const digest = checkSignature(signed, machine, verifier, nowMs);
  checkPath(signed);
  checkDigest(item, digest);
  const asked = decodeAsked(signed);
  const permit = checkPermit(item.permit, machine, digest, verifier.permitKeys(), nowMs);
  checkAsked(asked, permit);
  const recipient = checkRecipient(asked, permit);
  const secrets = checkSlips(item.secrets, permit, digest, verifier.slipKeys(), nowMs);
  checkBindings(machine, permit, secrets);

  const { principalId: machineId, originId } = machine;
  const read = { machineId, originId, requestDigest: digest, permit, secrets };
  return recipient ? { ...read, recipient } : read;
}
