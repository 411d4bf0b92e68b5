import { SallyportError } from "./sallyport-error.ts";
import { readPrivateFile, writePrivateFile } from "./private-file.ts";

/** Everything a client needs to act as one principal. The seed is the private key and never leaves this machine. */
export type Identity = {
  readonly url: string;
  /** PEM text of the gateway's CA; absent when the system's roots are enough. */
  readonly ca?: string;
  readonly rootFingerprint: string;
  readonly vaultId: string;
  /** The vault's name when the identity was made, for people; absent when it was not asked for. */
  readonly vaultName?: string;
  readonly principalId: string;
  readonly keyId: string;
  readonly kind: "machine" | "user";
  readonly name: string;
  /** The 32-byte Ed25519 seed in base64. */
  readonly seed: string;
  /** RFC 3339. */
  readonly expiresAt: string;
};

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
const optional = ["ca", "vaultName"] as const;

/** Writes an identity file: mode 0600 in a directory of mode 0700, complete or not at all, never through a link. */
export async function saveIdentity(path: string, identity: Identity): Promise<void> {
  await writePrivateFile(path, `${JSON.stringify(identity, undefined, 2)}\n`);
}

/**
 * Reads an identity file. Throws IDENTITY_MISSING or IDENTITY_INVALID, which say what is wrong: it is not there, others
 * may read it, it is a link, or it is not complete.
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
  return value;
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
    Buffer.from(String(field("seed")), "base64").length === 32 &&
    !Number.isNaN(Date.parse(String(field("expiresAt"))))
  );
}
