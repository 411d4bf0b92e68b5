import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type Process, processes } from "../data/layout.ts";
import { findProgram, requireProgram } from "./system-program.ts";

/** A user and group that a process or server runs as. */
export type Account = { readonly uid: number; readonly gid: number };

/**
 * Each of the six processes, and Redis, as a user of its own; the group of `program`, which nothing
 * runs as, may read a program that others may not.
 */
export type Accounts = Readonly<Record<Process | "redis" | "program", Account>>;

/** Says that the account of a process or server cannot reach what it needs. */
export class UnreachableDirectoryError extends Error {
  override name = "UnreachableDirectoryError";
}

/** Error: an account that is meant for a process is in use already. */
export class AccountInUseError extends Error {
  override name = "AccountInUseError";
}

/**
 * The first user id that is taken unless another is given: in no range that Debian's tools or
 * systemd give out.
 */
export const defaultUidBase = 60_800;

const owners = [...processes, "redis", "program"] as const;

/**
 * The accounts of a deployment when this process is root: the numbers from `base` on, which need no
 * entry in /etc/passwd. Throws AccountInUseError when one of them is a user or group of this
 * machine. Undefined when this process is not root: everything then runs as its user, and nothing
 * keeps one process from another's keys.
 */
export function processAccounts(base: number): Accounts | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const ids = owners.map((_, index) => base + index);
  for (const database of ["passwd", "group"] as const) {
    const [name = "", , id = ""] = namedAmong(database, ids).split(":");
    if (name !== "")
      throw new AccountInUseError(
        `${database === "passwd" ? "user" : "group"} id ${id} belongs to ${name}, but the ` +
          `processes need ${base} to ${base + owners.length - 1}: give others with --uid-base N`,
      );
  }
  const accounts = owners.map((name, index) => [name, { uid: base + index, gid: base + index }]);
  return Object.fromEntries(accounts) as Accounts;
}

/** The first entry of the system's database that has one of the ids; "" when there is none. */
function namedAmong(database: "passwd" | "group", ids: readonly number[]): string {
  try {
    const keys = ids.map(String);
    return execFileSync(requireProgram("getent"), [database, ...keys], { encoding: "utf8" });
  } catch (error) {
    // It exits with 2 when it did not find them all, and prints those that it found.
    if (error instanceof Error && "stdout" in error && "status" in error && error.status === 2)
      return String(error.stdout);
    throw error;
  }
}

/**
 * Returns the account that Postgres runs as when this process is root, which Postgres refuses to
 * be: `postgres`, made when missing, since initdb wants a user with a name. Undefined when this
 * process is not root.
 */
export function postgresAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  return lookUp("postgres") ?? create("postgres");
}

/**
 * Throws UnreachableDirectoryError naming the first directory above the path that the account may
 * not enter, or the path when it is a file that the account may not read; `user` names the account
 * in the sentence.
 */
export function checkReachable(path: string, account: Account, user: string): void {
  for (const dir of ancestors(resolve(path))) {
    if (!isPermitted(dir, account, 0o1)) {
      throw new UnreachableDirectoryError(
        `${user} cannot enter ${dir}: allow it with \`chmod o+x ${dir}\`, or use another directory`,
      );
    }
  }
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isFile() && !isPermitted(path, account, 0o4))
    throw new UnreachableDirectoryError(
      `${user} cannot read ${path}: allow it with \`chmod o+r ${path}\``,
    );
}

/**
 * Tells whether the account may enter every directory above the path, and read the path when it is
 * a file.
 */
export function isReachable(path: string, account: Account): boolean {
  try {
    checkReachable(path, account, "");
    return true;
  } catch (error) {
    if (error instanceof UnreachableDirectoryError) return false;
    throw error;
  }
}

function isPermitted(path: string, account: Account, right: number): boolean {
  const { mode, uid, gid } = statSync(path);
  const shift = uid === account.uid ? 6 : gid === account.gid ? 3 : 0;
  return (mode & (right << shift)) !== 0;
}

function ancestors(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [] : [...ancestors(parent), parent];
}

function lookUp(name: string): Account | undefined {
  try {
    return { uid: readId("-u", name), gid: readId("-g", name) };
  } catch {
    return undefined; // no such user
  }
}

function readId(flag: "-u" | "-g", name: string): number {
  const output = execFileSync(requireProgram("id"), [flag, name], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  return Number.parseInt(output, 10);
}

function create(name: string): Account {
  const useradd = findProgram(["useradd"]);
  try {
    if (useradd === undefined) throw new Error("useradd is not installed");
    execFileSync(useradd, [
      "--system",
      "--user-group",
      "--no-create-home",
      "--shell",
      "/bin/false",
      name,
    ]);
  } catch (cause) {
    throw new Error(
      `Postgres must not run as root and user ${name} could not be made: create it first`,
      {
        cause,
      },
    );
  }
  const account = lookUp(name);
  if (account === undefined) throw new Error(`user ${name} was made but cannot be found`);
  return account;
}
