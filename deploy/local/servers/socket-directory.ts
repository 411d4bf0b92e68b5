import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Account } from "../host/account.ts";

/** The longest Unix socket path, in bytes, that Linux (107) and macOS (103) both take. */
export const maxSocketPathBytes = 103;

/** A directory for one Unix socket; remove() takes it away when it was made for this start only. */
export type SocketDirectory = { readonly path: string; remove(): void };

/**
 * Makes a directory whose socket path fits the system's limit: the preferred one, or a short one
 * below the system's temporary directory. It is 0700; given an account, its user makes the socket
 * and its group alone may reach it, since what is made in the directory belongs to the same group.
 */
export function makeSocketDirectory(
  preferred: string,
  socketName: string,
  account?: Account,
): SocketDirectory {
  const fits = Buffer.byteLength(join(preferred, socketName)) <= maxSocketPathBytes;
  const path = fits ? preferred : mkdtempSync(join(tmpdir(), "sallyport-"));
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (account !== undefined) chownSync(path, account.uid, account.gid);
  chmodSync(path, account === undefined ? 0o700 : 0o2710);
  return {
    path,
    remove: () => (fits ? undefined : rmSync(path, { recursive: true, force: true })),
  };
}
