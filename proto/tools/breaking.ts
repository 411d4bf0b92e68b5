/**
 * Fails when the contracts are not wire compatible with those of an earlier commit. The base is the
 * newest release tag, else where this branch left main, else the commit before. Without such a
 * commit (a shallow clone) it prints that and passes; a break announced by a `BREAKING CHANGE:`
 * line in a commit message since the base is printed and passes.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

function git(...args: string[]): string | undefined {
  const { status, stdout } = spawnSync("git", args, { cwd: root, encoding: "utf8" });
  const text = status === 0 ? stdout.trim() : "";
  return text === "" ? undefined : text;
}

function findBase(): string | undefined {
  const head = git("rev-parse", "HEAD");
  const tag = git("describe", "--tags", "--abbrev=0", "--match", "v*");
  const forks = ["origin/main", "main"].map((ref) => git("merge-base", "HEAD", ref));
  const before = git("rev-parse", "--verify", "-q", "HEAD~1");
  const candidates = [tag, ...forks.filter((commit) => commit !== head), before];
  return candidates.find(
    (commit) => commit !== undefined && git("ls-tree", commit, "proto/sallyport"),
  );
}

/**
 * The base is built from a checkout of its own, with the current third-party files: older commits
 * do not have them in git.
 */
function checkOut(base: string, dir: string): void {
  mkdirSync(dir);
  cpSync(join(root, "buf.yaml"), join(dir, "buf.yaml"));
  const tar = execFileSync("git", ["archive", base, "proto/sallyport"], {
    cwd: root,
    maxBuffer: 1 << 28,
  });
  execFileSync("tar", ["-x", "-C", dir], { input: tar });
  cpSync(join(root, "proto/third_party"), join(dir, "proto/third_party"), { recursive: true });
}

function compatible(base: string): boolean {
  const scratch = mkdtempSync(join(tmpdir(), "sallyport-base-"));
  const [old, now] = [join(scratch, "old.binpb"), join(scratch, "now.binpb")];
  try {
    checkOut(base, join(scratch, "base"));
    execFileSync("buf", ["build", "-o", old], { cwd: join(scratch, "base"), stdio: "inherit" });
    execFileSync("buf", ["build", "-o", now], { cwd: root, stdio: "inherit" });
    return (
      spawnSync("buf", ["breaking", now, "--against", old], { cwd: root, stdio: "inherit" })
        .status === 0
    );
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function compare(base: string): void {
  if (compatible(base)) {
    console.log(`contracts: compatible with ${base}`);
    return;
  }
  const announced = git("log", "--format=%h %s", "--grep=^BREAKING CHANGE:", `${base}..HEAD`);
  if (announced === undefined) process.exitCode = 1;
  console.log(
    announced === undefined
      ? `contracts: not compatible with ${base}; if that is meant, say so in a BREAKING CHANGE: ` +
          "line of a commit message"
      : `contracts: not compatible with ${base}, as announced by ${announced}`,
  );
}

const base = findBase();
if (base === undefined)
  console.log("contracts: no earlier commit with contracts at hand, comparison skipped");
else compare(base);
