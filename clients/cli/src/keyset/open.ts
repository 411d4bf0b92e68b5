import { timestampMs } from "@bufbuild/protobuf/wkt";
import { verifyBytes } from "@sallyport/client";
import {
  type Keyset,
  type KeysetSignerClaims,
  KeysetSignerClaimsSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  LABELS,
  type OpenedKeyset,
  fromStrictBinary,
  labelled,
  openKeyset,
  rootFingerprint,
} from "@sallyport/proto/signing";
import { KeysetFileError, type Signer } from "./files.ts";

/**
 * Opens a keyset as it was while it was valid: its end is no fault, and its root is taken as it is.
 */
export function openAsOfThen(keyset: Keyset): OpenedKeyset {
  const pinned = rootFingerprint(keyset.rootPublicKey);
  // Its signer's beginning: a time at which both were valid, unless the keyset ended before.
  const atMs = keyset.signer ? beginningOf(keyset.signer.payload) : 0;
  return openKeyset(keyset, pinned, atMs, 1, verifyBytes);
}

/**
 * The root's statement on a signer. Throws KeysetFileError unless its signature holds and it names
 * this key.
 */
export function claimsOfSigner({ key, rootPublicKey, signer }: Signer): KeysetSignerClaims {
  const claims = fromStrictBinary(KeysetSignerClaimsSchema, signer.payload);
  const signed = verifyBytes(
    rootPublicKey,
    labelled(LABELS.keysetSigner, signer.payload),
    signer.signature,
  );
  if (!signed || Buffer.compare(claims.publicKey, key.publicKey) !== 0)
    throw new KeysetFileError(
      "signer.json is not what the root signed: sign a new one with the root key",
    );
  return claims;
}

/** The end of a signer, in Unix milliseconds. */
export function endOf({ notAfter }: KeysetSignerClaims): number {
  return notAfter ? timestampMs(notAfter) : 0;
}

function beginningOf(payload: Uint8Array): number {
  const { notBefore } = fromStrictBinary(KeysetSignerClaimsSchema, payload);
  return notBefore ? timestampMs(notBefore) : 0;
}
