import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  KeyUse,
  type Keyset,
  type KeysetClaims,
  KeyUseSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { type AnswerOwner, LABELS, labelled, rootFingerprint } from "@sallyport/proto/signing";
import { decodeKeysetClaims } from "./claims.ts";
import { SallyportError } from "./errors.ts";
import { verifyBytes } from "./keys.ts";

/** The deployment's public keys after they were checked against the pinned root. */
export type TrustedKeys = {
  readonly epoch: number;
  readonly notAfterMs: number;
  /** Finds a key by use and id; throws REPLY_UNTRUSTED when the keyset has none. */
  key(use: KeyUse, keyId: string): Uint8Array;
  /** Finds an owner's answer key by its id; those of others are not found. */
  answerKey(owner: AnswerOwner, keyId: string): Uint8Array | undefined;
  /** The key to prefer for a use. */
  preferred(use: KeyUse): { readonly keyId: string; readonly publicKey: Uint8Array };
};

/**
 * Checks a keyset against the pinned root fingerprint: ROOT_CHANGED when another root signed it, REPLY_UNTRUSTED when
 * the signature does not hold, it is past its time, or its epoch is smaller than one already seen.
 */
export function verifyKeyset(
  keyset: Keyset | undefined,
  pinned: string,
  nowMs: number,
  minEpoch = 1,
): TrustedKeys {
  if (!keyset) throw new SallyportError("REPLY_UNTRUSTED", "the server sent no keyset");
  if (rootFingerprint(keyset.rootPublicKey) !== pinned) {
    throw new SallyportError(
      "ROOT_CHANGED",
      "the deployment's root is not the one that was pinned: do not go on before an operator has confirmed the new fingerprint",
    );
  }
  if (!verifyBytes(keyset.rootPublicKey, labelled(LABELS.keyset, keyset.payload), keyset.signature)) {
    throw new SallyportError("REPLY_UNTRUSTED", "the keyset's signature does not hold");
  }
  const claims = decodeKeysetClaims(keyset.payload);
  const notAfterMs = claims.notAfter ? timestampMs(claims.notAfter) : 0;
  if (nowMs >= notAfterMs)
    throw new SallyportError(
      "REPLY_UNTRUSTED",
      "the keyset is past its time: check this clock, then ask an operator",
    );
  if (claims.epoch < minEpoch)
    throw new SallyportError("REPLY_UNTRUSTED", "the keyset is older than one already seen");
  return trustedKeys(claims, notAfterMs);
}

function trustedKeys({ epoch, keys }: KeysetClaims, notAfterMs: number): TrustedKeys {
  return {
    epoch,
    notAfterMs,
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
      keys.find((key) => key.use === KeyUse.ANSWER && key.holder === owner && key.keyId === keyId)?.publicKey,
    preferred(use) {
      const key = keys.find((candidate) => candidate.use === use);
      if (!key)
        throw new SallyportError("REPLY_UNTRUSTED", `the keyset has no ${enumName(KeyUseSchema, use)} key`);
      return { keyId: key.keyId, publicKey: key.publicKey };
    },
  };
}
