import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..");

/** A folder with what a clone has, and beside it one for what a stranger makes of it. */
export type FreshCopy = { readonly clone: string; readonly own: string } & Disposable;

/**
 * Copies the files that are in git, as they are now, and the given folder of this one beside them.
 */
export function freshCopy(program: string): FreshCopy {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-stranger-"));
  const [clone, own] = [join(folder, "clone"), join(folder, "own")];
  const listed = execFileSync("git", ["ls-files", "-z"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  for (const file of listed.split("\0").filter((name) => name !== ""))
    cpSync(join(root, file), join(clone, file));
  cpSync(join(import.meta.dirname, program), own, { recursive: true });
  return {
    clone,
    own,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
