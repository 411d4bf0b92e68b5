/**
 * Fails when the contracts break what an earlier commit promised on the wire. The base is the newest release tag, else
 * where this branch left main, else the commit before. Without such a commit (a shallow clone) it says so and passes;
 * a break announced by a `BREAKING CHANGE:` line in a commit message since the base is printed and passes.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

function git(...args: string[]): string | undefined {
  const { status, stdout } = spawnSync("git", args, { cwd: root, encoding: "utf8" });
  const text = status === 0 ? stdout.trim() : "";
  return text === "" ? undefined : text;
}

function findBase(): string | undefined {
  const head = git("rev-parse", "HEAD");
  const tag = git("describe", "--tags", "--abbrev=0", "--match", "v*");
  const forks = ["origin/main", "main"].map((ref) => git("merge-base", "HEAD", ref));
  const candidates = [tag, ...forks.filter((commit) => commit !== head), git("rev-parse", "--verify", "-q", "HEAD~1")];
  return candidates.find((commit) => commit !== undefined && git("ls-tree", commit, "proto/sallyport") !== undefined);
}

/** The base is built from a checkout of its own: the third-party files that it imports are not in git. */
function buildBase(base: string, scratch: string): string {
  const image = join(scratch, "base.binpb");
  const tar = execFileSync("git", ["archive", base, "proto/sallyport", "buf.yaml"], { cwd: root, maxBuffer: 1 << 28 });
  execFileSync("tar", ["-x", "-C", scratch], { input: tar });
  cpSync(join(root, "proto/third_party"), join(scratch, "proto/third_party"), { recursive: true });
  execFileSync("buf", ["build", "proto", "-o", image], { cwd: scratch, stdio: "inherit" });
  return image;
}

function compare(base: string): void {
  const scratch = mkdtempSync(join(tmpdir(), "sallyport-base-"));
  try {
    const image = buildBase(base, scratch);
    const { status } = spawnSync("buf", ["breaking", "proto", "--against", image], { cwd: root, stdio: "inherit" });
    const announced = git("log", "--format=%h %s", "--grep=^BREAKING CHANGE:", `${base}..HEAD`);
    if (status === 0) console.log(`contracts: compatible with ${base}`);
    else if (announced !== undefined) console.log(`contracts: not compatible with ${base}, as announced by ${announced}`);
    else process.exitCode = 1;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const base = findBase();
if (base === undefined) console.log("contracts: no earlier commit with contracts at hand, comparison skipped");
else compare(base);
