import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const allowed = new Set([
  "terminal/terminal.ts",
  "input.ts",
  "confirm.ts",
  "main.ts",
  "run/filtered.ts",
]);

test("what is printed goes through the screen, which makes it safe to show", () => {
  const offenders = globSync("**/*.ts", { cwd: import.meta.dirname }).filter(
    (file) =>
      !file.endsWith(".test.ts") &&
      !file.startsWith("testing/") &&
      !allowed.has(file) &&
      /process\.std(?:out|err)|\bconsole\./.test(
        readFileSync(join(import.meta.dirname, file), "utf8"),
      ),
  );
  expect(offenders).toEqual([]);
});
