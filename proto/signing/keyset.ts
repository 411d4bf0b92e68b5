import { type MessageInitShape, create, toBinary } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  KeyUse,
  type Keyset,
  type KeysetClaims,
  KeysetClaimsSchema,
  KeysetSchema,
  type KeysetSigner,
  type KeysetSignerClaims,
  KeysetSignerClaimsSchema,
  KeysetSignerSchema,
  type PublicKey,
} from "../gen/sallyport/evidence/v1/evidence_pb.ts";
import { answerOwners } from "./answer.ts";
import { FormatError } from "./format-error.ts";
import { LABELS, labelled } from "./labels.ts";
import { rootFingerprint } from "./statements.ts";
import { fromStrictBinary } from "./strict-binary.ts";

/** The step at which a keyset is refused, in the order of SIGNING §10.1. */
export type KeysetStep =
  | "root"
  | "signer-signature"
  | "signer-form"
  | "signer-time"
  | "keyset-signature"
  | "keyset-form"
  | "keyset-expired"
  | "keyset-epoch";

/**
 * Error: a keyset is not trusted. The message is a sentence for the operator; the step names the
 * check that failed.
 */
export class KeysetError extends Error {
  override readonly name = "KeysetError";
  readonly step: KeysetStep;

  constructor(step: KeysetStep, message: string) {
    super(message);
    this.step = step;
  }
}

/** The contents of a keyset after every check has passed. */
export type OpenedKeyset = {
  readonly claims: KeysetClaims;
  readonly signer: KeysetSignerClaims;
  /** Its expiry in Unix milliseconds, not later than its signer's. */
  readonly notAfterMs: number;
  /** The expiry of its signer in Unix milliseconds. */
  readonly signerNotAfterMs: number;
};

/** An Ed25519 signing key: the root, or the key that the root has signed. */
export type KeysetKey = {
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
};

type Verify<R> = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => R;
type Signed = Parameters<Verify<unknown>>;

const uses: readonly KeyUse[] = [
  KeyUse.CREDENTIAL,
  KeyUse.SEALING,
  KeyUse.REPLY,
  KeyUse.LOG,
  KeyUse.ANSWER,
];
const keyIdForm = /^[a-z0-9-]{1,64}$/;
const keyBytes = 32;
/** Largest number of keys in a keyset. */
export const maxKeysetKeys = 32;

/** Signs, with the root, the statement of the key that signs keysets. */
export function signKeysetSigner(
  root: KeysetKey,
  claims: MessageInitShape<typeof KeysetSignerClaimsSchema>,
): KeysetSigner {
  const payload = toBinary(KeysetSignerClaimsSchema, create(KeysetSignerClaimsSchema, claims));
  const signature = root.sign(labelled(LABELS.keysetSigner, payload));
  return create(KeysetSignerSchema, { payload, signature });
}

/** Signs a keyset with the key that the root's statement names. */
export function signKeyset(
  key: KeysetKey,
  { rootPublicKey, signer }: { readonly rootPublicKey: Uint8Array; readonly signer: KeysetSigner },
  claims: MessageInitShape<typeof KeysetClaimsSchema>,
): Keyset {
  const payload = toBinary(KeysetClaimsSchema, create(KeysetClaimsSchema, claims));
  const signature = key.sign(labelled(LABELS.keyset, payload));
  return create(KeysetSchema, { payload, rootPublicKey, signature, signer });
}

/**
 * Checks a keyset against the pinned root fingerprint, step by step (SIGNING §10.1). `verify`
 * checks one Ed25519 signature strictly; an epoch below `smallestEpoch` is refused. Throws
 * KeysetError.
 */
export function openKeyset(
  keyset: Keyset | undefined,
  pinned: string,
  nowMs: number,
  smallestEpoch: number,
  verify: Verify<boolean>,
): OpenedKeyset {
  const steps = openInSteps(keyset, pinned, nowMs, smallestEpoch);
  let step = steps.next();
  while (!step.done) step = steps.next(verify(...step.value));
  return step.value;
}

/** The same with an asynchronous verifier, such as WebCrypto's. */
export async function openKeysetAsync(
  keyset: Keyset | undefined,
  pinned: string,
  nowMs: number,
  smallestEpoch: number,
  verify: Verify<Promise<boolean>>,
): Promise<OpenedKeyset> {
  const steps = openInSteps(keyset, pinned, nowMs, smallestEpoch);
  let step = steps.next();
  while (!step.done) step = steps.next(await verify(...step.value));
  return step.value;
}

// Yields each signature, in an order in which every key is verified before a signature under it is,
// and is resumed with the result.
function* openInSteps(
  keyset: Keyset | undefined,
  pinned: string,
  nowMs: number,
  smallestEpoch: number,
): Generator<Signed, OpenedKeyset, boolean> {
  if (!keyset) throw new KeysetError("root", "there is no keyset");
  const { rootPublicKey, payload, signature } = keyset;
  if (rootFingerprint(rootPublicKey) !== pinned)
    throw new KeysetError("root", "the keyset is signed by another root than the pinned one");
  const signer = yield* openSigner(keyset, nowMs);
  if (!(yield [signer.publicKey, labelled(LABELS.keyset, payload), signature]))
    throw new KeysetError("keyset-signature", "the keyset's signature does not hold");
  const claims = decode("keyset-form", "keyset", KeysetClaimsSchema, payload, isWhole);
  const signerNotAfterMs = msOf(signer.notAfter);
  const notAfterMs = Math.min(msOf(claims.notAfter), signerNotAfterMs);
  if (nowMs >= notAfterMs)
    throw new KeysetError("keyset-expired", "the keyset is past its time: it has to be renewed");
  if (claims.epoch < signer.minEpoch || claims.epoch > signer.maxEpoch)
    throw new KeysetError("keyset-epoch", "the keyset's epoch is not one of its signer's");
  if (claims.epoch < smallestEpoch)
    throw new KeysetError("keyset-epoch", "the keyset is older than one already seen");
  return { claims, signer, notAfterMs, signerNotAfterMs };
}

function* openSigner(
  { rootPublicKey, signer }: Keyset,
  nowMs: number,
): Generator<Signed, KeysetSignerClaims, boolean> {
  const isVouchedFor =
    signer !== undefined &&
    (yield [rootPublicKey, labelled(LABELS.keysetSigner, signer.payload), signer.signature]);
  if (!isVouchedFor)
    throw new KeysetError(
      "signer-signature",
      "the root's signature over the keyset's signer does not hold",
    );
  const claims = decode(
    "signer-form",
    "keyset's signer",
    KeysetSignerClaimsSchema,
    signer.payload,
    isSigner,
  );
  if (nowMs < msOf(claims.notBefore))
    throw new KeysetError("signer-time", "the keyset's signer is not valid yet: check this clock");
  if (nowMs >= msOf(claims.notAfter))
    throw new KeysetError(
      "signer-time",
      "the keyset's signer is past its time: the root has to sign a new one",
    );
  return claims;
}

type Schemas = typeof KeysetClaimsSchema | typeof KeysetSignerClaimsSchema;

function decode<D extends Schemas, T extends ReturnType<typeof fromStrictBinary<D>>>(
  step: KeysetStep,
  what: string,
  schema: D,
  payload: Uint8Array,
  holds: (claims: T) => boolean,
): T {
  try {
    const claims = fromStrictBinary(schema, payload) as T;
    if (holds(claims)) return claims;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
  }
  throw new KeysetError(step, `the ${what} is signed, but not as the contract says`);
}

function isSigner({
  keyId,
  publicKey,
  notBefore,
  notAfter,
  minEpoch,
  maxEpoch,
}: KeysetSignerClaims): boolean {
  const named = keyIdForm.test(keyId) && publicKey.length === keyBytes;
  return named && msOf(notBefore) < msOf(notAfter) && minEpoch >= 1 && minEpoch <= maxEpoch;
}

// No duplicate keys, at least one key for every use, and an answer key of every owner.
function isWhole({ epoch, notAfter, keys }: KeysetClaims): boolean {
  const names = new Set(keys.map(({ use, keyId }) => `${use} ${keyId}`));
  const complete =
    uses.every((use) => keys.some((key) => key.use === use)) &&
    answerOwners.every((owner) => keys.some(({ holder }) => holder === owner));
  if (epoch < 1 || Number.isNaN(msOf(notAfter)) || keys.length > maxKeysetKeys) return false;
  return names.size === keys.length && complete && keys.every(isKey);
}

// An answer key names its holder, and no other key does.
function isKey({ keyId, use, publicKey, holder }: PublicKey): boolean {
  const held =
    use === KeyUse.ANSWER ? answerOwners.some((owner) => owner === holder) : holder === "";
  return keyIdForm.test(keyId) && uses.includes(use) && publicKey.length === keyBytes && held;
}

// NaN, for which every comparison is false, when there is none.
function msOf(time: KeysetClaims["notAfter"]): number {
  return time ? timestampMs(time) : Number.NaN;
}
