import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** A system account that a server runs as. */
export type Account = { readonly uid: number; readonly gid: number };

/** Says that the server's account cannot reach a directory that it needs. */
export class UnreachableDirectoryError extends Error {
  override name = "UnreachableDirectoryError";
}

/**
 * Returns the account that Postgres runs as when this process is root, which Postgres refuses to be: `postgres`, made
 * when missing. Undefined when this process is not root: Postgres then runs as this process's own user.
 */
export function postgresAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  return lookUp("postgres") ?? create("postgres");
}

/** Throws UnreachableDirectoryError naming the first directory above the path that the account may not enter. */
export function checkReachable(path: string, account: Account): void {
  for (const dir of ancestors(resolve(path))) {
    const { mode, uid, gid } = statSync(dir);
    const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) {
      throw new UnreachableDirectoryError(
        `user postgres cannot enter ${dir}: allow it with \`chmod o+x ${dir}\`, or use another directory`,
      );
    }
  }
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
  return Number.parseInt(
    execFileSync("id", [flag, name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
    10,
  );
}

function create(name: string): Account {
  try {
    execFileSync("useradd", ["--system", "--user-group", "--no-create-home", "--shell", "/bin/false", name]);
  } catch (cause) {
    throw new Error(`Postgres must not run as root and user ${name} could not be made: create it first`, {
      cause,
    });
  }
  const account = lookUp(name);
  if (account === undefined) throw new Error(`user ${name} was made but cannot be found`);
  return account;
}
