import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const program = join(import.meta.dirname, "core-dumps.ts");
const check = `import(${JSON.stringify(program)}).then(({ requireNoCoreDumps }) => requireNoCoreDumps())`;

/** Runs the check in a process of its own under a limit for core dumps, as `ulimit -c` has it. */
function startUnder(limit: string): string {
  const script = `ulimit -Sc ${limit} && exec "$0" "$@"`;
  return execFileSync("sh", ["-c", script, process.execPath, "--eval", check], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

test("a process that would leave a core dump does not start", () => {
  const refusal = /core dumps are on, and would hold the keys: start crypto with `ulimit -c 0`/;
  expect(() => startUnder("1024")).toThrow(refusal);
  expect(() => startUnder("unlimited")).toThrow(refusal);
  expect(startUnder("0")).toBe("");
});
