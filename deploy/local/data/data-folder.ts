import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type Account, checkReachable, isReachable } from "../host/account.ts";
import { claimDirectory } from "./claim.ts";
import { requireProgram } from "../host/system-program.ts";

/**
 * The folder for data whose wanted folder the processes may not enter, under a derived name.
 */
export const keptData = "/var/lib/sallyport-data";

/** Says that the data directory of a start is not to be had, and why. */
export class DataFolderError extends Error {
  override readonly name = "DataFolderError";
}

/**
 * Returns where the data of a deployment is, by its real path: where it is wanted when all these
 * accounts may enter that path, else below `kept`, with a link in the wanted path. What is there
 * already, such as a copy that was put back, is moved. Throws DataFolderError when a link leads
 * nowhere or both places hold data: a start never chooses or loses any.
 */
export function settleData(wanted: string, users: readonly Account[], kept = keptData): string {
  const path = resolve(wanted);
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found?.isSymbolicLink()) return followLink(path);
  const parent = nearestFolder(dirname(path));
  if (users.every((user) => isReachable(join(parent, "any"), user))) {
    if (found !== undefined && isOurs(path)) chmodSync(path, found.mode | 0o011);
    return path;
  }
  const target = join(realFolder(kept, users), nameOf(path));
  if (found !== undefined) move(path, target);
  mkdirSync(target, { recursive: true });
  chmodSync(target, 0o711);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  symlinkSync(target, path);
  return target;
}

// Everything in it has closed modes of its own.
function isOurs(path: string): boolean {
  return readdirSync(path).length === 0 || existsSync(join(path, "supervisor"));
}

function followLink(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  throw new DataFolderError(
    `${path} is a link to ${readlinkSync(path)}, which is not there: put the data back from a ` +
      "copy, or remove the link to start over",
  );
}

function nearestFolder(path: string): string {
  return existsSync(path) ? realpathSync(path) : nearestFolder(dirname(path));
}

function realFolder(path: string, users: readonly Account[]): string {
  if (!existsSync(path)) {
    mkdirSync(path, { mode: 0o711 });
    chmodSync(path, 0o711);
  }
  for (const user of users) checkReachable(join(path, "any"), user, `user ${user.uid}`);
  return path;
}

function nameOf(path: string): string {
  return createHash("sha256").update(path).digest("hex").slice(0, 16);
}

function move(path: string, target: string): void {
  if (existsSync(target) && readdirSync(target).length > 0)
    throw new DataFolderError(
      `${path} holds data, and so does ${target}, where its data is kept: move one of them away`,
    );
  // A deployment that runs there must not lose its folder; the claim also ends what its dead holder
  // held.
  if (existsSync(join(path, "supervisor"))) claimDirectory(join(path, "supervisor"))();
  rmSync(target, { recursive: true, force: true });
  try {
    renameSync(path, target);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EXDEV")) throw error;
    copy(path, target);
  }
}

// Another file system: whole under another name first, so that what was cut off is not taken for
// the data.
function copy(path: string, target: string): void {
  const unfinished = `${target}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  execFileSync(requireProgram("cp"), ["-a", "--", path, unfinished]);
  renameSync(unfinished, target);
  rmSync(path, { recursive: true });
}
