import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/**
 * A copy of the repository, whose own packages are the copied ones and all others the installed
 * ones.
 */
export type Tree = { readonly dir: string } & Disposable;

/**
 * Copies what git tracks or would track; a run that dies half-way has then mutated only the copy.
 */
export function copyTree(root: string): Tree {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "sallyport-mutation-")));
  const listed = execFileSync(
    "git",
    ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    {
      cwd: root,
      encoding: "utf8",
    },
  );
  for (const file of listed.split("\0")) {
    if (file === "") continue;
    mkdirSync(join(dir, dirname(file)), { recursive: true });
    cpSync(join(root, file), join(dir, file));
  }
  linkModules(join(root, "node_modules"), join(dir, "node_modules"));
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) };
}

// Ours are relative links: copied as they stand, they lead into the copy.
function linkModules(installed: string, copied: string): void {
  const ours = "@sallyport";
  mkdirSync(copied);
  for (const name of readdirSync(installed)) {
    if (name === ours)
      cpSync(join(installed, name), join(copied, name), {
        recursive: true,
        verbatimSymlinks: true,
      });
    else symlinkSync(join(installed, name), join(copied, name));
  }
}
