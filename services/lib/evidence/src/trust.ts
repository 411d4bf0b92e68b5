import {
  KeyUse,
  type Keyset,
  type KeysetClaims,
  KeysetSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type AnswerOwner,
  FormatError,
  KeysetError,
  type OpenedKeyset,
  fromStrictBinary,
  openKeyset,
} from "@sallyport/proto/signing";
import { verifyEd25519 } from "./ed25519.ts";

/** The deployment's public keys, checked against the pinned root. */
export type Trust = {
  readonly keyset: Keyset;
  readonly epoch: number;
  /**
   * The end of the keyset's validity in Unix milliseconds; nothing is verified with it afterwards.
   */
  readonly notAfterMs: number;
  /** The end of its signer, which the root has to renew, in Unix milliseconds. */
  readonly signerNotAfterMs: number;
  /** Finds a raw 32-byte key by use and id. */
  publicKey(use: KeyUse, keyId: string): Uint8Array | undefined;
  /** Finds an owner's raw 32-byte answer key by its id; those of others are not found. */
  answerKey(owner: AnswerOwner, keyId: string): Uint8Array | undefined;
  /** The key to prefer for a use: the first one. */
  preferred(use: KeyUse): { readonly keyId: string; readonly publicKey: Uint8Array };
  /** The key to prefer for an owner's answers: the first one of its own. */
  preferredAnswer(owner: AnswerOwner): { readonly keyId: string } | undefined;
};

/**
 * Reads a serialised Keyset and checks it against the pinned root fingerprint and the smallest
 * epoch that may follow (SIGNING §10.1). Throws a KeysetError with a sentence for the operator.
 */
export function loadTrust(
  bytes: Uint8Array,
  rootFingerprint: string,
  nowMs: number,
  smallestEpoch = 1,
): Trust {
  const keyset = decode(bytes);
  const opened = naming(() =>
    openKeyset(keyset, rootFingerprint, nowMs, smallestEpoch, verifyEd25519),
  );
  const { claims, notAfterMs, signerNotAfterMs } = opened;
  return { keyset, epoch: claims.epoch, notAfterMs, signerNotAfterMs, ...lookUps(claims) };
}

// Of a process the operator pins the root by a setting.
function naming(open: () => OpenedKeyset): OpenedKeyset {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof KeysetError) || error.step !== "root") throw error;
    throw new KeysetError("root", `${error.message}: check SALLYPORT_ROOT_FINGERPRINT`);
  }
}

function decode(bytes: Uint8Array): Keyset {
  try {
    return fromStrictBinary(KeysetSchema, new Uint8Array(bytes));
  } catch (error) {
    if (error instanceof FormatError)
      throw new Error(`the keyset cannot be read: ${error.message}`, { cause: error });
    throw error;
  }
}

type LookUp = "publicKey" | "answerKey" | "preferred" | "preferredAnswer";

function lookUps({ keys }: KeysetClaims): Pick<Trust, LookUp> {
  return {
    preferredAnswer: (owner) =>
      keys.find(({ use, holder }) => use === KeyUse.ANSWER && holder === owner),
    answerKey: (owner, keyId) =>
      keys.find(
        ({ use, holder, keyId: id }) => use === KeyUse.ANSWER && holder === owner && id === keyId,
      )?.publicKey,
    publicKey: (use, keyId) =>
      keys.find((key) => key.use === use && key.keyId === keyId)?.publicKey,
    preferred(use) {
      const key = keys.find((candidate) => candidate.use === use);
      if (!key) throw new Error(`the keyset has no key of use ${use}`);
      return { keyId: key.keyId, publicKey: key.publicKey };
    },
  };
}
