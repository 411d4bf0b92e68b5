import { lstatSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { CliError } from "../app/failure.ts";
import { configFolder } from "../vaults/folder.ts";

/**
 * The folder of the proxy's socket and header file: sallyport in $XDG_RUNTIME_DIR, which is cleared
 * when the user logs out, else the folder of identities. Made with mode 0700 when it is missing.
 * Throws LISTEN_FAILED when it, or the folder that $XDG_RUNTIME_DIR names, is not this user's
 * alone.
 */
export function proxyFolder(env: NodeJS.ProcessEnv): string {
  const runtime = env["XDG_RUNTIME_DIR"] ?? "";
  if (runtime.startsWith("/")) checkOwnFolder(runtime);
  const folder = runtime.startsWith("/") ? join(runtime, "sallyport") : configFolder(env);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw unfit(folder, "cannot be made", error);
  }
  checkOwnFolder(folder);
  return folder;
}

/** Checks that a folder is this user's and closed to all others. Throws LISTEN_FAILED. */
export function checkOwnFolder(folder: string): void {
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (!found) throw unfit(folder, "is not there");
  if (!found.isDirectory()) throw unfit(folder, "is not a folder, or is a link to one");
  const me = process.getuid?.();
  if (me !== undefined && found.uid !== me) throw unfit(folder, "belongs to another user");
  if ((found.mode & 0o077) !== 0)
    throw unfit(folder, `can be entered by others: run "chmod 700 ${folder}"`);
}

function unfit(folder: string, why: string, cause?: unknown): CliError {
  return new CliError("LISTEN_FAILED", `the folder ${folder} ${why}`, {
    next: "choose a path in a folder that is yours alone with --socket",
    cause,
  });
}
