import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const source = join(import.meta.dirname, "..");
const allowed = new Set([
  "terminal/terminal.ts",
  "terminal/input.ts",
  "terminal/confirm.ts",
  "main.ts",
  "run/filtered.ts",
]);

test("what is printed goes through the screen, which makes it safe to show", () => {
  const offenders = globSync("**/*.ts", { cwd: source }).filter(
    (file) =>
      !file.endsWith(".test.ts") &&
      !file.startsWith("testing/") &&
      !allowed.has(file) &&
      /process\.std(?:out|err)|\bconsole\./.test(readFileSync(join(source, file), "utf8")),
  );
  expect(offenders).toEqual([]);
});
