import { existsSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { type Account, type Accounts, checkReachable, isReachable } from "../host/account.ts";
import { repository } from "../host/command.ts";
import { services } from "../data/layout.ts";
import { placeTree } from "./program-copy.ts";
import { nodeProgram } from "../host/system-program.ts";

/**
 * The program of the six processes: the clone, or a copy of its program where they may not enter
 * the clone.
 */
export type Program = {
  readonly root: string;
  readonly node: string;
  /** The group that may read the copy; undefined for the clone. */
  readonly gid?: number;
};

/** The clone, run where it stands. */
export const clone: Program = { root: repository, node: nodeProgram };

/** The folders of the program that a process may read. */
export const programFolders = ["proto", "services", "gateway", "node_modules"] as const;

/**
 * The program for processes of these accounts: the clone where all of them may enter it, else a
 * copy of what they need, made again in `folder` at each start. Security: only the group `program`
 * may enter the copy, and root alone may change it. The rest of the clone, its history and its
 * state stay where they are.
 */
export function provideProgram(
  accounts: Accounts | undefined,
  folder: string,
): Program & Disposable {
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  const users = Object.values(accounts ?? {});
  if (accounts === undefined || users.every(isOpenTo)) {
    remove();
    return { ...clone, [Symbol.dispose]: () => undefined };
  }
  const { gid } = accounts.program;
  const runtime = relative(repository, process.execPath);
  const isOurs = process.execPath.startsWith(repository + sep);
  if (!isOurs) for (const user of users) checkReachable(process.execPath, user, `user ${user.uid}`);
  const code = ["package.json", ...programFolders.filter((name) => name !== "node_modules")];
  placeTree(repository, folder, [...code, ...dependencies(), ...(isOurs ? [runtime] : [])], gid);
  const node = isOurs ? join(folder, runtime) : process.execPath;
  return { root: folder, node, gid, [Symbol.dispose]: remove };
}

function isOpenTo(user: Account): boolean {
  const inFolders = programFolders.map((name) => join(name, "package.json"));
  const needed = ["package.json", ...inFolders].map((path) => join(repository, path));
  return [process.execPath, ...needed].every((path) => isReachable(path, user));
}

/** The folders, below the clone, of all packages that the services and the gateway depend on. */
function dependencies(): string[] {
  const found = new Set<string>();
  const visit = (folder: string): void => {
    for (const name of dependenciesOf(folder)) {
      const path = nearest(name, folder);
      if (path === undefined || found.has(path)) continue;
      found.add(path);
      visit(realpathSync(path));
    }
  };
  for (const name of ["gateway", ...services.map((name) => `services/${name}`)])
    visit(realpathSync(join(repository, name)));
  return [...found].map((path) => relative(repository, path));
}

type Manifest = Readonly<Partial<Record<(typeof kinds)[number], Readonly<Record<string, string>>>>>;

const kinds = ["dependencies", "peerDependencies", "optionalDependencies"] as const;

function dependenciesOf(folder: string): string[] {
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
  return kinds.flatMap((kind) => Object.keys(manifest[kind] ?? {}));
}

/**
 * The path of a package that a folder imports; undefined when it is not installed.
 */
function nearest(name: string, folder: string): string | undefined {
  const path = join(folder, "node_modules", name);
  if (existsSync(path)) return path;
  return folder === repository || folder === dirname(folder)
    ? undefined
    : nearest(name, dirname(folder));
}
