import { spawnSync } from "node:child_process";
import { Readable } from "node:stream";
import { text as readText } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { formsOf, knownForms } from "./forms.ts";
import { createRedactor } from "./redact.ts";

const isHere = (program: string): boolean =>
  spawnSync("sh", ["-c", 'command -v "$0"', program]).status === 0;

/** What programs print of a value, as they do it themselves. */
const printers: readonly {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  /** The program that must be installed, where `program` is only the shell around it. */
  readonly needs?: string;
}[] = [
  { name: "bash -x", program: "bash", args: ["--norc", "-xc", ': "$V"'] },
  { name: "bash printf %q", program: "bash", args: ["--norc", "-c", 'printf "%q\\n" "$V"'] },
  { name: "bash ${V@Q}", program: "bash", args: ["--norc", "-c", 'echo "${V@Q}"'] },
  { name: "bash declare -p", program: "bash", args: ["--norc", "-c", "W=$V; declare -p W"] },
  { name: "dash -x", program: "dash", args: ["-xc", ': "$V"'] },
  { name: "zsh -x", program: "zsh", args: ["-f", "-xc", ': "$V"'] },
  {
    name: "python repr",
    program: "python3",
    args: ["-c", "import os; print(repr(os.environ['V']))"],
  },
  { name: "python bytes", program: "python3", args: ["-c", "import os; print(os.environb[b'V'])"] },
  {
    name: "python html.escape",
    program: "python3",
    args: ["-c", "import os, html; print(html.escape(os.environ['V']))"],
  },
  {
    name: "python hex",
    program: "python3",
    args: ["-c", "import os; print(os.environb[b'V'].hex())"],
  },
  { name: "xxd -p", program: "sh", args: ["-c", 'printf %s "$V" | xxd -p'], needs: "xxd" },
];

// The first is the one that was seen to pass all of them.
const values = [
  `it's "q" $HOME`,
  `~#a\\b'c"d&<e>!{f,g}[h]^|;*?(i)\`j`,
  "#begins with a sign",
  "tab\tand 'quote' and \\",
  "päss'wörd & co",
  "plain-text-0123456789-plain-text-0123456789-plain-text",
];

async function redacted(output: Uint8Array, value: string): Promise<string> {
  return readText(
    Readable.from([output], { objectMode: false }).pipe(createRedactor(formsOf(value))),
  );
}

/** Pieces of what was printed that would give a value away: the longest that is left of it. */
function longestLeft(printed: string, shown: string): number {
  const left = shown.split("[redacted]");
  return Math.max(...left.map((part) => part.trim().length)) / Math.max(1, printed.trim().length);
}

describe.each(printers)("$name", ({ program, args, needs = program }) => {
  const missing = isHere(needs) ? undefined : ` (skipped: ${needs} is not installed)`;
  test.skipIf(missing).each(values)(`of %j is filtered${missing ?? ""}`, async (value) => {
    const env = { PATH: process.env["PATH"] ?? "", V: value, LC_ALL: "C.UTF-8", PYTHONUTF8: "1" };
    const { stdout, stderr } = spawnSync(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    // Shells show what their start files do, too: the last line is ours.
    const said = Buffer.concat([stdout, stderr]).toString().trimEnd();
    const printed = Buffer.from(args.includes("-xc") ? (said.split("\n").at(-1) ?? "") : said);
    const shown = await redacted(printed, value);
    expect(printed.length, "it printed nothing").toBeGreaterThanOrEqual(value.length);
    expect(shown).toContain("[redacted]");
    expect(longestLeft(printed.toString(), shown), shown).toBeLessThan(0.5);
  });
});

test("forms grow with a value and no faster", () => {
  const bytesOf = (length: number): number =>
    formsOf(`'"&\t$`.repeat(length / 5)).reduce((sum, { length: each }) => sum + each, 0);
  expect(bytesOf(20_000) / bytesOf(10_000)).toBeLessThan(2.2);
});

test("help names the forms", () => {
  for (const form of [
    "base64",
    "hexadecimal",
    "URL",
    "JSON",
    "HTML",
    "bash -x",
    "printf %q",
    "Python",
  ])
    expect(knownForms).toContain(form);
});
