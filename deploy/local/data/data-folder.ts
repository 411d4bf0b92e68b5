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
 * accounts may enter that place, else below `kept`, with a link in the wanted place. What is there
 * already, such as a copy that was put back, is moved. Throws DataFolderError when a link leads
 * nowhere or both places hold data: a start never chooses or loses any.
 */
export function settleData(wanted: string, users: readonly Account[], kept = keptData): string {
  const place = resolve(wanted);
  const found = lstatSync(place, { throwIfNoEntry: false });
  if (found?.isSymbolicLink()) return followLink(place);
  const parent = nearestFolder(dirname(place));
  if (users.every((user) => isReachable(join(parent, "any"), user))) {
    if (found !== undefined && isOurs(place)) chmodSync(place, found.mode | 0o011);
    return place;
  }
  const target = join(realFolder(kept, users), nameOf(place));
  if (found !== undefined) move(place, target);
  mkdirSync(target, { recursive: true });
  chmodSync(target, 0o711);
  mkdirSync(dirname(place), { recursive: true, mode: 0o700 });
  symlinkSync(target, place);
  return target;
}

// Everything in it is closed by itself.
function isOurs(place: string): boolean {
  return readdirSync(place).length === 0 || existsSync(join(place, "supervisor"));
}

function followLink(place: string): string {
  if (existsSync(place)) return realpathSync(place);
  throw new DataFolderError(
    `${place} is a link to ${readlinkSync(place)}, which is not there: put the data back from a ` +
      "copy, " +
      "or remove the link to begin anew",
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

function nameOf(place: string): string {
  return createHash("sha256").update(place).digest("hex").slice(0, 16);
}

function move(place: string, target: string): void {
  if (existsSync(target) && readdirSync(target).length > 0)
    throw new DataFolderError(
      `${place} holds data, and so does ${target}, where its data is kept: move one of them away`,
    );
  // A deployment that runs there must not lose its folder; the claim also ends what its dead holder
  // held.
  if (existsSync(join(place, "supervisor"))) claimDirectory(join(place, "supervisor"))();
  rmSync(target, { recursive: true, force: true });
  try {
    renameSync(place, target);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EXDEV")) throw error;
    copy(place, target);
  }
}

// Another file system: whole under another name first, so that what was cut off is not taken for
// the data.
function copy(place: string, target: string): void {
  const unfinished = `${target}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  execFileSync(requireProgram("cp"), ["-a", "--", place, unfinished]);
  renameSync(unfinished, target);
  rmSync(place, { recursive: true });
}
