/**
 * Fails when proto/gen is not exactly what the .proto files generate; generates beside it and
 * changes nothing.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

function filesBelow(dir: string): string[] {
  if (!existsSync(dir)) return [];
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1));
}

function differingFiles(fresh: string, committed: string): string[] {
  const paths = new Set([...filesBelow(fresh), ...filesBelow(committed)]);
  return [...paths].sort().filter((path) => {
    const [a, b] = [join(fresh, path), join(committed, path)];
    return !existsSync(a) || !existsSync(b) || readFileSync(a, "utf8") !== readFileSync(b, "utf8");
  });
}

const scratch = mkdtempSync(join(tmpdir(), "sallyport-gen-"));
try {
  execFileSync("buf", ["generate", "-o", scratch], { cwd: root, stdio: "inherit" });
  const differing = differingFiles(join(scratch, "proto/gen"), join(root, "proto/gen"));
  if (differing.length > 0) {
    console.error(
      "proto/gen is out of date; run `npm run generate`. Differing files:\n" + differing.join("\n"),
    );
    process.exitCode = 1;
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
