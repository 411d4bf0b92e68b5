import { chmod, mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { SallyportError } from "./errors.ts";

/** Everything a client needs to act as one principal. The seed is the private key and never leaves this machine. */
export type Identity = {
  readonly url: string;
  /** PEM text of the gateway's CA; absent when the system's roots are enough. */
  readonly ca?: string;
  readonly rootFingerprint: string;
  readonly vaultId: string;
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

/** Writes an identity file: mode 0600 in a directory of mode 0700, complete or not at all. */
export async function saveIdentity(path: string, identity: Identity): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const partial = `${path}.${process.pid}.part`;
  await writeFile(partial, `${JSON.stringify(identity, undefined, 2)}\n`, { mode: 0o600 });
  await chmod(partial, 0o600);
  await rename(partial, path);
}

/** Reads an identity file; IDENTITY_MISSING or IDENTITY_INVALID say what is wrong, and a readable-by-others file is refused. */
export async function loadIdentity(path: string): Promise<Identity> {
  const [text, { mode }] = await Promise.all([readFile(path, "utf8"), stat(path)]).catch((error: unknown) => {
    throw new SallyportError(
      "IDENTITY_MISSING",
      `there is no identity at ${path}: run "sallyport login" or "sallyport enroll"`,
      { cause: error },
    );
  });
  if ((mode & 0o077) !== 0) {
    throw new SallyportError("IDENTITY_INVALID", `others may read ${path}: run "chmod 600 ${path}"`);
  }
  return parseIdentity(text, path);
}

function parseIdentity(text: string, path: string): Identity {
  const value = ((): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      return undefined;
    }
  })();
  const complete =
    typeof value === "object" &&
    value !== null &&
    required.every((key) => typeof Reflect.get(value, key) === "string");
  if (!complete)
    throw new SallyportError(
      "IDENTITY_INVALID",
      `${path} is not a complete identity file: enroll or log in again`,
    );
  return value as Identity;
}
