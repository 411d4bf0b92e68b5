import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  KeyUse,
  type Keyset,
  type KeysetClaims,
  KeysetClaimsSchema,
  KeysetSchema,
  type PublicKey,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type AnswerOwner,
  answerOwners,
  fromStrictBinary,
  keysetPreimage,
  rootFingerprint as fingerprintOf,
} from "@sallyport/proto/signing";
import { verifyEd25519 } from "./ed25519.ts";
import { violationOf } from "./validate.ts";

/** The deployment's public keys, checked against the pinned root. */
export type Trust = {
  readonly keyset: Keyset;
  readonly epoch: number;
  /** The end of the keyset's validity in Unix milliseconds; nothing is verified with it afterwards. */
  readonly notAfterMs: number;
  /** Finds a raw 32-byte key by use and id. */
  publicKey(use: KeyUse, keyId: string): Uint8Array | undefined;
  /** Finds an owner's raw 32-byte answer key by its id; those of others are not found. */
  answerKey(owner: AnswerOwner, keyId: string): Uint8Array | undefined;
  /** The key to prefer for a use: the first one. */
  preferred(use: KeyUse): { readonly keyId: string; readonly publicKey: Uint8Array };
};

const uses = [
  [KeyUse.CREDENTIAL, "credential"],
  [KeyUse.SEALING, "sealing"],
  [KeyUse.REPLY, "reply"],
  [KeyUse.LOG, "log"],
] as const;

/**
 * Reads a serialised Keyset and checks it against the pinned root fingerprint (SIGNING §10). Throws an Error with a
 * sentence for the operator: wrong root, wrong signature, past its time, malformed, a use without a key, or an owner
 * without an answer key.
 */
export function loadTrust(keysetBytes: Uint8Array, rootFingerprint: string, nowMs: number): Trust {
  const keyset = fromStrictBinary(KeysetSchema, keysetBytes);
  if (fingerprintOf(keyset.rootPublicKey) !== rootFingerprint) {
    throw new Error(
      "the keyset is signed by another root than the pinned one: check SALLYPORT_ROOT_FINGERPRINT",
    );
  }
  if (!verifyEd25519(keyset.rootPublicKey, keysetPreimage(keyset.payload), keyset.signature)) {
    throw new Error("the keyset's signature does not hold");
  }
  const claims = fromStrictBinary(KeysetClaimsSchema, keyset.payload);
  const violation = violationOf(KeysetClaimsSchema, claims);
  if (violation) throw new Error(`the keyset is malformed: ${violation.field} ${violation.description}`);
  const notAfterMs = claims.notAfter ? timestampMs(claims.notAfter) : 0;
  if (nowMs >= notAfterMs) throw new Error("the keyset is past its time: sign a new one with the root key");
  checkKeys(claims);
  return { keyset, epoch: claims.epoch, notAfterMs, ...lookUps(claims) };
}

function checkKeys({ keys }: KeysetClaims): void {
  const names = keys.map(({ use, keyId }) => `${use} ${keyId}`);
  if (new Set(names).size !== names.length) throw new Error("the keyset names two keys alike");
  for (const [use, name] of uses) {
    if (!keys.some((key) => key.use === use)) throw new Error(`the keyset has no ${name} key`);
  }
  for (const owner of answerOwners) {
    if (!keys.some((key) => isAnswerKey(key, owner)))
      throw new Error(`the keyset has no answer key of ${owner}`);
  }
}

function isAnswerKey({ use, holder }: PublicKey, owner: AnswerOwner): boolean {
  return use === KeyUse.ANSWER && holder === owner;
}

function lookUps({ keys }: KeysetClaims): Pick<Trust, "publicKey" | "answerKey" | "preferred"> {
  return {
    answerKey: (owner, keyId) =>
      keys.find((key) => isAnswerKey(key, owner) && key.keyId === keyId)?.publicKey,
    publicKey: (use, keyId) => keys.find((key) => key.use === use && key.keyId === keyId)?.publicKey,
    preferred(use) {
      const key = keys.find((candidate) => candidate.use === use);
      if (!key) throw new Error(`the keyset has no key of use ${use}`);
      return { keyId: key.keyId, publicKey: key.publicKey };
    },
  };
}
