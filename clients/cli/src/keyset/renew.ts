import { create, equals } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { verifyBytes } from "@sallyport/client";
import { locked } from "@sallyport/client/file-lock";
import {
  type Keyset,
  KeysetSchema,
  type PublicKey,
  PublicKeySchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { openKeyset, rootFingerprint, signKeyset } from "@sallyport/proto/signing";
import {
  KeysetFileError,
  type Signer,
  filesOf,
  readKeyset,
  readSigner,
  writeKeyset,
} from "./files.ts";
import { claimsOfSigner, endOf, openAsOfThen } from "./open.ts";

/** Options of renewing the keyset of a folder. */
export type RenewOptions = {
  readonly dir: string;
  readonly days: number;
  readonly nowMs: number;
  /**
   * The keys of the new keyset, the preferred of each use first; those of the last one unless
   * given.
   */
  readonly keys?:
    | readonly Pick<PublicKey, "keyId" | "use" | "publicKey" | "holder" | "since">[]
    | undefined;
  /** Further files that get the keyset. */
  readonly copies?: readonly string[];
};

/** A keyset as it was signed. */
export type RenewedKeyset = {
  readonly epoch: number;
  readonly notAfterMs: number;
  readonly signerNotAfterMs: number;
  readonly rootFingerprint: string;
  readonly files: readonly string[];
};

const dayMs = 86_400_000;

/**
 * Renews the folder's keyset, with the next epoch, and writes it and its copies. Needs no root
 * key. Throws KeysetFileError, having written nothing, when the signer is missing or past its time,
 * has no epoch left, or when a copy is newer already.
 */
export async function renewKeyset(options: RenewOptions): Promise<RenewedKeyset> {
  return underLock(options.dir, () => renewHeld(options));
}

/**
 * Runs while no other command changes the keyset of the folder: two that read the same one would
 * sign two of the same epoch. Throws KeysetFileError when another is at it.
 */
export async function underLock<T>(dir: string, run: () => Promise<T>): Promise<T> {
  const whenTaken = (): Error =>
    new KeysetFileError(
      `another command is changing the keyset in ${dir}: try again; the lock of one that was ` +
        "killed ends in 30 seconds",
    );
  return locked(filesOf(dir).keyset, run, { whenTaken });
}

/** Tells whether every file has this very keyset. */
export async function haveAll(files: readonly string[], keyset: Keyset): Promise<boolean> {
  const found = await Promise.all(files.map(readKeyset));
  return found.every((copy) => copy !== undefined && equals(KeysetSchema, copy, keyset));
}

/** Renews as renewKeyset does, under a lock that is held already. */
export async function renewHeld(options: RenewOptions): Promise<RenewedKeyset> {
  const { dir, copies = [], nowMs } = options;
  const signer = await readSigner(dir);
  if (!signer)
    throw new KeysetFileError(
      `there is no signer in ${dir}: make one with "sallyport keyset sign"`,
    );
  const files = [filesOf(dir).keyset, ...copies];
  const present = await Promise.all(files.map(readKeyset));
  const keyset = nextKeyset(signer, present, options);
  const fingerprint = rootFingerprint(signer.rootPublicKey);
  const opened = openKeyset(keyset, fingerprint, nowMs, 1, verifyBytes);
  for (const file of files) await writeKeyset(file, keyset);
  const { claims, notAfterMs, signerNotAfterMs } = opened;
  return { epoch: claims.epoch, notAfterMs, signerNotAfterMs, rootFingerprint: fingerprint, files };
}

function nextKeyset(
  signer: Signer,
  present: readonly (Keyset | undefined)[],
  { days, nowMs, keys: given }: RenewOptions,
): Keyset {
  const claims = claimsOfSigner(signer);
  if (nowMs >= endOf(claims))
    throw new KeysetFileError(
      'the signer is past its time: make a new one with "sallyport keyset sign"',
    );
  const known = present.map((keyset) => (keyset ? openAsOfThen(keyset).claims : undefined));
  const newest = Math.max(0, ...known.map((keyset) => keyset?.epoch ?? 0));
  const epoch = Math.max(newest + 1, claims.minEpoch);
  if (epoch > claims.maxEpoch)
    throw new KeysetFileError(
      `a keyset of epoch ${newest} is in use, and the signer may sign up to ${claims.maxEpoch}: ` +
        "an epoch never " +
        'goes back. Put the newest signer.json there, or make a new one with "sallyport keyset ' +
        'sign"',
    );
  const keys = given ?? known[0]?.keys;
  if (!keys)
    throw new KeysetFileError("there is no keyset to renew: say which keys the first one has");
  const notAfter = timestampFromMs(Math.min(nowMs + days * dayMs, endOf(claims)));
  return signKeyset(signer.key, signer, {
    epoch,
    notAfter,
    keys: keys.map((key) => create(PublicKeySchema, key)),
  });
}
