import {
  KeyUse,
  type Keyset,
  type KeysetClaims,
  KeyUseSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { type AnswerOwner, KeysetError, openKeysetAsync } from "@sallyport/proto/signing";
import { SallyportError } from "./sallyport-error.ts";
import { ed25519 } from "./ed25519.ts";

/** The deployment's public keys after they were checked against the pinned root. */
export type TrustedKeys = {
  readonly epoch: number;
  readonly notAfterMs: number;
  /** The expiry of the keyset's signer, which the root has to renew, in Unix milliseconds. */
  readonly signerNotAfterMs: number;
  /** Finds a key by use and id; throws REPLY_UNTRUSTED when the keyset has none. */
  key(use: KeyUse, keyId: string): Uint8Array;
  /** Returns whether there is a key of the use and id. */
  has(use: KeyUse, keyId: string): boolean;
  /** Finds an owner's answer key by its id; those of others are not found. */
  answerKey(owner: AnswerOwner, keyId: string): Uint8Array | undefined;
  /** The key to prefer for a use. */
  preferred(use: KeyUse): { readonly keyId: string; readonly publicKey: Uint8Array };
};

/**
 * Checks a keyset against the pinned root fingerprint: ROOT_CHANGED when another root signed it,
 * REPLY_UNTRUSTED when any other step of SIGNING §10.1 fails, a smaller epoch than `smallestEpoch`
 * included.
 */
export async function verifyKeyset(
  keyset: Keyset | undefined,
  pinned: string,
  nowMs: number,
  smallestEpoch = 1,
): Promise<TrustedKeys> {
  try {
    const { claims, notAfterMs, signerNotAfterMs } = await openKeysetAsync(
      keyset,
      pinned,
      nowMs,
      smallestEpoch,
      ed25519.verify,
    );
    return { notAfterMs, signerNotAfterMs, ...lookUps(claims) };
  } catch (error) {
    if (error instanceof KeysetError) throw distrust(error, keyset !== undefined);
    throw error;
  }
}

function distrust(error: KeysetError, isThere: boolean): SallyportError {
  if (error.step !== "root" || !isThere)
    return new SallyportError("REPLY_UNTRUSTED", error.message);
  return new SallyportError(
    "ROOT_CHANGED",
    "the deployment's root is not the one that was pinned: do not go on before an operator has " +
      "confirmed the new fingerprint",
  );
}

function lookUps({
  epoch,
  keys,
}: KeysetClaims): Omit<TrustedKeys, "notAfterMs" | "signerNotAfterMs"> {
  return {
    epoch,
    has: (use, keyId) => keys.some((key) => key.use === use && key.keyId === keyId),
    key(use, keyId) {
      const key = keys.find((candidate) => candidate.use === use && candidate.keyId === keyId);
      if (!key)
        throw new SallyportError(
          "REPLY_UNTRUSTED",
          `the keyset has no ${enumName(KeyUseSchema, use)} key ${keyId}`,
        );
      return key.publicKey;
    },
    answerKey: (owner, keyId) =>
      keys.find((key) => key.use === KeyUse.ANSWER && key.holder === owner && key.keyId === keyId)
        ?.publicKey,
    preferred(use) {
      const key = keys.find((candidate) => candidate.use === use);
      if (!key)
        throw new SallyportError(
          "REPLY_UNTRUSTED",
          `the keyset has no ${enumName(KeyUseSchema, use)} key`,
        );
      return { keyId: key.keyId, publicKey: key.publicKey };
    },
  };
}
