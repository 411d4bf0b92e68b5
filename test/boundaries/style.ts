import { posix } from "node:path";
import type { Package, SourceFile } from "./tree.ts";

const product = /^(proto|services|gateway|clients|deploy)\//;
const exempt = /(^|\/)(migrations|testdata|gen|third_party)\//;
const mostColumns = 100;

/** Idioms that strangers must decode, and the standard term to use in comments and file names. */
const idioms: readonly { readonly found: RegExp; readonly use: string }[] = [
  { found: /\bplaces? (?:among|left|at which)\b/i, use: "concurrency slot" },
  { found: /\bbegins? anew\b|\banew\b/i, use: "again, or restarts" },
  { found: /\bfor good\b/i, use: "permanently" },
  { found: /\b(?:he|him|his|himself)\b/, use: "they, or the party's name" },
  { found: /\bwhoever\b/i, use: "anyone who, or the party's name" },
  { found: /\bruns evenly\b/i, use: "monotonic clock" },
];

/** Checks how product files are written and returns one sentence for each violation. */
export function findStyleViolations(
  files: readonly SourceFile[],
  packages: readonly Package[],
): string[] {
  const mains = new Set(packages.flatMap(mainFile));
  return files
    .filter(({ path }) => product.test(path) && !exempt.test(path))
    .flatMap((file) => [
      ...longLines(file),
      ...(isTest(file) ? [] : idiomsIn(file)),
      ...(mains.has(file.path) && !beginsWithParagraph(file.text)
        ? [
            `${file.path}: begin with a paragraph: why it exists, what it promises and must never do`,
          ]
        : []),
    ]);
}

function mainFile({ dir, exports }: Package): string[] {
  const main = exports["."] ?? exports["./server"];
  return typeof main === "string" ? [posix.join(dir, main)] : [];
}

function beginsWithParagraph(text: string): boolean {
  return /^\/\*\*?\n(?: \*.*\n){3,} \*\/\n/.test(text);
}

// Titles and expected texts of tests are searched for whole, so only their comments are wrapped.
function longLines({ path, text }: SourceFile): string[] {
  return text.split("\n").flatMap((line, at) => {
    const checked = isTest({ path, text }) ? isComment(line) : !isUnbreakable(line);
    return checked && line.length > mostColumns
      ? [`${path}:${at + 1}: is longer than ${mostColumns} columns`]
      : [];
  });
}

// The module of an import, and what has no space to break at.
function isUnbreakable(line: string): boolean {
  return /^(?:import|export)\b|^} from /.test(line) || !/\S\s+\S/.test(line);
}

function isComment(line: string): boolean {
  return /^\s*(?:\/\/|\/\*|\*)/.test(line);
}

function isTest({ path }: SourceFile): boolean {
  return path.endsWith(".test.ts") || path.includes("/src/testing/");
}

function idiomsIn({ path, text }: SourceFile): string[] {
  return text.split("\n").flatMap((line, at) => {
    if (!isComment(line)) return [];
    return idioms.flatMap(({ found, use }) => {
      const words = found.exec(line)?.[0];
      return words === undefined ? [] : [`${path}:${at + 1}: "${words}": say ${use}`];
    });
  });
}
