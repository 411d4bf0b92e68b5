import type { Stats } from "node:fs";
import { lstat, readlink } from "node:fs/promises";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { SallyportError } from "../core/sallyport-error.ts";

const maxLinks = 16;

/**
 * Resolves the links in a path and returns the path without links; undefined when it does not
 * exist. Throws IDENTITY_INVALID when another user could have made or could replace a link or a
 * folder on the path: each must belong to this user or to root, and no other user may write to the
 * folder that contains it, unless only an entry's owner may remove it (the sticky bit, as on /tmp).
 */
export async function resolveSafely(path: string): Promise<string | undefined> {
  let names = resolve(path).split("/");
  let reached = "/";
  let links = 0;
  while (names.length > 0) {
    const [name = "", ...others] = names;
    names = others;
    if (name === "" || name === ".") continue;
    if (name === "..") {
      reached = dirname(reached);
      continue;
    }
    const [folder, entry] = await Promise.all([lstat(reached), statOf(join(reached, name))]);
    if (!entry) return undefined;
    if (!isFixed(folder, entry)) throw replaceable(path, join(reached, name));
    if (!entry.isSymbolicLink()) {
      reached = join(reached, name);
      continue;
    }
    const target = await readlink(join(reached, name));
    if ((links += 1) > maxLinks) throw replaceable(path, join(reached, name));
    if (isAbsolute(target)) reached = "/";
    names = [...target.split("/"), ...names];
  }
  return reached;
}

function isFixed(folder: Stats, entry: Stats): boolean {
  const openToOthers = (folder.mode & 0o022) !== 0;
  const isSticky = (folder.mode & 0o1000) !== 0;
  return isTrusted(folder.uid) && isTrusted(entry.uid) && (!openToOthers || isSticky);
}

function isTrusted(uid: number): boolean {
  return uid === 0 || uid === process.getuid?.();
}

async function statOf(path: string): Promise<Stats | undefined> {
  return lstat(path).catch(() => undefined);
}

function replaceable(path: string, where: string): SallyportError {
  return new SallyportError(
    "IDENTITY_INVALID",
    `${path} is a symbolic link, and another user could change where it leads, at ${where}: ` +
      "put what it names in its place",
  );
}
