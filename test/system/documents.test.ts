import { execFileSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

const repository = join(import.meta.dirname, "..", "..");
const documents = execFileSync(
  "git",
  ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
  {
    cwd: repository,
    encoding: "utf8",
  },
)
  .split("\n")
  .filter((file) => file !== "");

/**
 * What a document refers to: relative links, and paths of tests in back quotes; braces and stars
 * are patterns.
 */
function references(file: string): { readonly path: string; readonly from: string }[] {
  const text = readFileSync(join(repository, file), "utf8");
  const links = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, path = ""]) => ({
    path,
    from: dirname(file),
  }));
  const quoted = [...text.matchAll(/`([\w./*{},-]+\.(?:test\.ts|sh))`/g)].filter(([, path = ""]) =>
    path.includes("/"),
  );
  return [...links, ...quoted.map(([, path = ""]) => ({ path, from: "." }))];
}

test.each(documents)("%s refers to nothing that is not there", (file) => {
  const missing = references(file).filter(
    ({ path, from }) => globSync(join(repository, from, path)).length === 0,
  );
  expect(missing.map(({ path }) => path)).toEqual([]);
});
