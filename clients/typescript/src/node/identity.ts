import type { Endpoint } from "./network/connection.ts";
import { SallyportError } from "../core/sallyport-error.ts";
import { locked } from "./file-lock.ts";
import { readPrivateFile, writePrivateFile } from "./private-file.ts";

/**
 * Everything a client needs to act as one principal. The seed is the private key and never leaves
 * this machine.
 */
export type Identity = {
  readonly url: string;
  /** PEM text of the gateway's CA; absent when the system's roots are enough. */
  readonly ca?: string;
  readonly rootFingerprint: string;
  readonly vaultId: string;
  /** The vault's name when the identity was made, for display; absent when it was not looked up. */
  readonly vaultName?: string;
  readonly principalId: string;
  readonly keyId: string;
  readonly kind: "machine" | "user";
  readonly name: string;
  /** The 32-byte Ed25519 seed in base64. */
  readonly seed: string;
  /** The enrollment token of a machine; absent where it is not known. */
  readonly tokenId?: string;
  /** RFC 3339. */
  readonly expiresAt: string;
  /** The epoch of the newest known keyset: an older one is refused. Absent until there is one. */
  readonly keysetEpoch?: number;
};

// The file of each identity, for the state that is kept in it; an identity made in memory has none.
const files = new WeakMap<Identity, string>();

/** Returns the file that an identity was read from; undefined for one that was not. */
export function identityFileOf(identity: Identity): string | undefined {
  return files.get(identity);
}

/**
 * Returns the same identity with another address or CA of its gateway, for this process: state is
 * kept in the same file, whose address and CA stay. The pinned root stays the basis of trust.
 */
export function reachedAt(identity: Identity, endpoint: Partial<Endpoint>): Identity {
  const moved = { ...identity, ...endpoint };
  const file = files.get(identity);
  if (file !== undefined) files.set(moved, file);
  return moved;
}

const required = [
  "url",
  "rootFingerprint",
  "vaultId",
  "principalId",
  "keyId",
  "kind",
  "name",
  "seed",
  "expiresAt",
] as const;
const optional = ["ca", "vaultName", "tokenId"] as const;

/**
 * Writes an identity file: mode 0600 in a directory of mode 0700, complete or not at all, never
 * through a link.
 */
export async function saveIdentity(path: string, identity: Identity): Promise<void> {
  await locked(path, () => write(path, identity));
}

/**
 * Reads an identity file. Throws IDENTITY_MISSING or IDENTITY_INVALID, which name the fault: it
 * does not exist, others may read it, it is a link, or it is not complete.
 */
export async function loadIdentity(path: string): Promise<Identity> {
  const text = await readPrivateFile(path);
  if (text === undefined)
    throw new SallyportError(
      "IDENTITY_MISSING",
      `there is no identity at ${path}: run "sallyport login" or "sallyport enroll"`,
    );
  const value = parsed(text);
  if (!isIdentity(value))
    throw new SallyportError(
      "IDENTITY_INVALID",
      `${path} is not a complete identity file: enroll or log in again`,
    );
  files.set(value, path);
  return value;
}

/**
 * Keeps the epoch of the newest keyset with an identity, never a smaller one than the stored one. A
 * file that was removed, belongs to another identity by now or cannot be written stays as it is:
 * the epoch is defence in depth, and reads must still work.
 *
 * Security: read and written under the file's lock; otherwise, in a race of two processes, the
 * smaller epoch could win, and an identity that was renewed meanwhile could be overwritten with the
 * old one.
 */
export async function rememberEpoch(path: string, keyId: string, epoch: number): Promise<void> {
  const needed = async (): Promise<Identity | undefined> => {
    const kept = await loadIdentity(path);
    return kept.keyId === keyId && (kept.keysetEpoch ?? 0) < epoch ? kept : undefined;
  };
  try {
    if (!(await needed())) return;
    await locked(path, async () => {
      const kept = await needed();
      if (kept) await write(path, { ...kept, keysetEpoch: epoch });
    });
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
  }
}

async function write(path: string, identity: Identity): Promise<void> {
  await writePrivateFile(path, `${JSON.stringify(identity, undefined, 2)}\n`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isIdentity(value: unknown): value is Identity {
  if (typeof value !== "object" || value === null) return false;
  const field = (key: string): unknown => Reflect.get(value, key);
  return (
    required.every((key) => typeof field(key) === "string") &&
    optional.every((key) => ["string", "undefined"].includes(typeof field(key))) &&
    (field("kind") === "machine" || field("kind") === "user") &&
    URL.parse(String(field("url")))?.protocol === "https:" &&
    (field("keysetEpoch") === undefined || Number.isSafeInteger(field("keysetEpoch"))) &&
    Buffer.from(String(field("seed")), "base64").length === 32 &&
    !Number.isNaN(Date.parse(String(field("expiresAt"))))
  );
}
