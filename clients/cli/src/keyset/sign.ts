import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { newSeed } from "@sallyport/client";
import { signKeysetSigner } from "@sallyport/proto/signing";
import { randomBytes } from "node:crypto";
import {
  KeysetFileError,
  filesOf,
  keyOf,
  readKeyset,
  readRootKey,
  readSigner,
  writeSigner,
} from "./files.ts";
import { claimsOfSigner, openAsOfThen } from "./open.ts";
import { underLock } from "./renew.ts";

/** The new signer of the folder's keysets. */
export type SignOptions = {
  readonly dir: string;
  readonly rootKeyFile: string;
  readonly days: number;
  readonly nowMs: number;
};

/** A signer of keysets, as it was made. */
export type SignedSigner = {
  readonly keyId: string;
  readonly notAfterMs: number;
  readonly minEpoch: number;
  readonly maxEpoch: number;
};

const dayMs = 86_400_000;
/** A client whose clock runs behind must not see a signer of the future. */
const backdateMs = 300_000;
/** The number of keysets that one signer can sign: more than a century of daily ones. */
const epochs = 65_536;

/**
 * Has the root vouch for a new key that signs keysets, which replaces the one before. Its
 * epochs lie above all that the one before may sign, so that clients that have seen the new
 * one refuse a stolen old one. The keyset itself is signed by the next renewal. Throws
 * KeysetFileError when the folder is another root's.
 */
export async function signSigner(options: SignOptions): Promise<SignedSigner> {
  return underLock(options.dir, () => signHeld(options));
}

async function signHeld({ dir, rootKeyFile, days, nowMs }: SignOptions): Promise<SignedSigner> {
  const root = await readRootKey(rootKeyFile);
  const minEpoch = (await lastEpoch(dir, root.publicKey)) + 1;
  const maxEpoch = minEpoch + epochs - 1;
  const seed = newSeed();
  const keyId = `signer-${randomBytes(4).toString("hex")}`;
  const notAfterMs = nowMs + days * dayMs;
  const signer = signKeysetSigner(root, {
    keyId,
    publicKey: keyOf(seed).publicKey,
    notBefore: timestampFromMs(nowMs - backdateMs),
    notAfter: timestampFromMs(notAfterMs),
    minEpoch,
    maxEpoch,
  });
  await writeSigner(dir, { seed, rootPublicKey: root.publicKey, signer });
  return { keyId, notAfterMs, minEpoch, maxEpoch };
}

// The greatest epoch that anything in the folder allows.
async function lastEpoch(dir: string, rootPublicKey: Uint8Array): Promise<number> {
  const [signer, keyset] = [await readSigner(dir), await readKeyset(filesOf(dir).keyset)];
  for (const known of [signer, keyset])
    if (known && Buffer.compare(known.rootPublicKey, rootPublicKey) !== 0)
      throw new KeysetFileError(
        `${dir} belongs to another root than the key given: check --root-key`,
      );
  const ofSigner = signer ? claimsOfSigner(signer).maxEpoch : 0;
  return Math.max(ofSigner, keyset ? openAsOfThen(keyset).signer.maxEpoch : 0);
}
