import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/**
 * The folders of the system's programs. Security: the PATH of the caller, and
 * `node_modules/.bin`, which packages fill, decide nothing about what root runs.
 */
export const systemFolders = [
  "/usr/local/sbin",
  "/usr/local/bin",
  "/usr/sbin",
  "/usr/bin",
  "/sbin",
  "/bin",
  "/opt/homebrew/bin",
] as const;

const unpacked = join(import.meta.dirname, "..", "..", "..", ".cache", "programs", "bin");

/**
 * Tells whether programs unpacked beside the clone are used: never by root, whose programs root
 * alone installs.
 */
const usesUnpacked = process.getuid?.() !== 0;

/**
 * The Node that processes are started with. Where its library was unpacked, a script beside it says
 * where that is.
 */
export const nodeProgram: string =
  (usesUnpacked ? findProgram(["node"], [unpacked]) : undefined) ?? process.execPath;

/** The PATH of what is started. */
export const systemPath = systemFolders.join(delimiter);

/**
 * The absolute path of the first of the programs that the system has; undefined when it has none.
 */
export function findProgram(
  names: readonly string[],
  folders: readonly string[] = usesUnpacked ? [...systemFolders, unpacked] : systemFolders,
): string | undefined {
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

/** The same for a program that must be there; throws a sentence. */
export function requireProgram(name: string): string {
  const found = findProgram([name]);
  if (found === undefined)
    throw new Error(`${name} is not in ${systemFolders.join(", ")}: install it`);
  return found;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
