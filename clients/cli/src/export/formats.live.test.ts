import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse as parseDotenv } from "dotenv";
import { array, assert, property } from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse as parseYaml } from "yaml";
import { CliError } from "../app/failure.ts";
import { readDockerEnv, readGithubEnv } from "../testing/readers.ts";
import { awkwardText, edgeCases } from "../testing/values.ts";
import type { Variable } from "../values/variables.ts";
import { type FormatName, formatNames, writeFormat } from "./format.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-export-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const nameAt = (index: number): string => `V_${index}`;
const variablesOf = (texts: readonly string[]): Variable[] =>
  texts.map((text, index) => ({ name: nameAt(index), plaintext: Buffer.from(text) }));
const mapOf = (texts: readonly string[]): Record<string, string> =>
  Object.fromEntries(texts.map((text, index) => [nameAt(index), text]));

/** Whether a format holds a text. */
function holds(format: FormatName, text: string): boolean {
  try {
    writeFormat(format, variablesOf([text]));
    return true;
  } catch (error) {
    if (error instanceof CliError && error.reason === "VALUE_UNFIT") return false;
    throw error;
  }
}

/** Reads back what was written; each reader gives an object of texts. */
type Reader = (content: string) => Record<string, string>;

function viaShell(shell: string, args: readonly string[] = []): Reader {
  return (content) => {
    const file = join(dir, "exported");
    writeFileSync(file, content);
    // env -0 is the environment that a program started from that shell gets, byte for byte.
    const script = `. "${file}" && exec env -0`;
    const output = execFileSync(shell, [...args, "-c", script], {
      env: { PATH: process.env["PATH"] ?? "", LC_ALL: "C.UTF-8" },
      // bash takes a socket as its input for a remote shell, and would read the user's settings.
      stdio: ["ignore", "pipe", "pipe"],
      maxBuffer: 64 * 1024 * 1024,
    });
    const pairs = output
      .toString("utf8")
      .split("\0")
      .filter((pair) => pair.startsWith("V_"));
    return Object.fromEntries(
      pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
    );
  };
}

function isThere(program: string): boolean {
  try {
    execFileSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const shells: readonly (readonly [string, string, readonly string[]])[] = [
  ["sh", "sh", []],
  ["dash", "dash", []],
  ["bash", "bash", []],
  ["bash --posix", "bash", ["--posix"]],
  ["zsh", "zsh", ["-f"]],
  ["busybox ash", "busybox", ["sh"]],
];

const readers: readonly (readonly [string, FormatName, Reader, string])[] = [
  ...shells.map(
    ([name, program, args]) =>
      [
        name,
        "shell",
        viaShell(program, args),
        isThere(program) ? "" : ` (skipped: ${program} not installed)`,
      ] as const,
  ),
  ["the dotenv package", "dotenv", (content) => parseDotenv(content), ""],
  ["the dotenv package, fast", "dotenv", (content) => parseDotenv(content, { fast: true }), ""],
  [
    "docker --env-file",
    "docker-env",
    (content) => Object.fromEntries(readDockerEnv(Buffer.from(content))),
    "",
  ],
  [
    "a GitHub runner",
    "github-env",
    (content) => Object.fromEntries(readGithubEnv(content, "linux")),
    "",
  ],
  [
    "a GitHub runner on Windows",
    "github-env",
    (content) => Object.fromEntries(readGithubEnv(content, "windows")),
    "",
  ],
  ["the yaml package", "yaml", (content) => parseYaml(content) as Record<string, string>, ""],
  [
    "YAML 1.1",
    "yaml",
    (content) => parseYaml(content, { version: "1.1" }) as Record<string, string>,
    "",
  ],
  ["JSON", "json", (content) => JSON.parse(content) as Record<string, string>, ""],
];

describe.each(readers)("through %s", (_, format, read, skipped) => {
  test.skipIf(skipped !== "")(`every edge case comes back byte for byte${skipped}`, () => {
    const texts = edgeCases.filter((text) => holds(format, text));
    expect(texts.length).toBeGreaterThan(edgeCases.length / 2);
    expect(read(writeFormat(format, variablesOf(texts)))).toEqual(mapOf(texts));
    expect(read(writeFormat(format, variablesOf(texts.toReversed())))).toEqual(
      mapOf(texts.toReversed()),
    );
  });

  test.skipIf(skipped !== "")(
    `a thousand and more awkward values come back${skipped}`,
    () => {
      // Thousands of values in few files: each file costs a process.
      const inFile = array(awkwardText, { minLength: 1, maxLength: 60, size: "max" });
      const comesBack = property(inFile, (all) => {
        const texts = all.filter((text) => holds(format, text));
        const back = read(writeFormat(format, variablesOf(texts)));
        const wanted = mapOf(texts);
        return (
          Object.keys(back).length === texts.length &&
          Object.entries(wanted).every(([name, text]) => back[name] === text)
        );
      });
      expect(() => assert(comesBack, { numRuns: 50 })).not.toThrow();
    },
    60_000,
  );
});

describe("what a format cannot hold", () => {
  const binary = Buffer.from([0xff, 0x00, 0x80]);
  const bytes = (name: string, plaintext: Uint8Array): Variable[] => [{ name, plaintext }];
  const refusal = (format: FormatName, variables: Variable[]) => {
    try {
      return writeFormat(format, variables);
    } catch (error) {
      return error instanceof CliError ? `${error.message}; ${error.next ?? ""}` : String(error);
    }
  };

  test("a NUL byte is refused for every environment, and the formats that can hold it are named", () => {
    for (const format of ["dotenv", "shell", "github-env", "docker-env"] as const)
      expect(refusal(format, bytes("A", Buffer.from("a\0b")))).toBe(
        `A holds a NUL byte, which ${format} cannot hold; use --format json or yaml, or leave it out with --only`,
      );
    expect(JSON.parse(writeFormat("json", bytes("A", Buffer.from("a\0b"))))).toEqual({ A: "a\0b" });
    expect(parseYaml(writeFormat("yaml", bytes("A", Buffer.from("a\0b"))))).toEqual({ A: "a\0b" });
  });

  test("bytes that are not UTF-8 go into json and yaml as base64, marked, and into nothing else", () => {
    for (const format of ["dotenv", "shell", "github-env", "docker-env"] as const)
      expect(refusal(format, bytes("A", binary))).toMatch(
        /is not UTF-8 text.*use --format json or yaml/,
      );
    expect(JSON.parse(writeFormat("json", bytes("A", binary)))).toEqual({ A: { base64: "/wCA" } });
    const read: unknown = parseYaml(writeFormat("yaml", bytes("A", binary)), { version: "1.1" });
    expect(read).toEqual({ A: binary });
  });

  test("docker's file has no line breaks, and lines of less than 64 KiB", () => {
    expect(refusal("docker-env", bytes("A", Buffer.from("a\nb")))).toBe(
      "A holds a line break, which docker-env cannot hold; use --format dotenv or json or yaml or shell or github-env, or leave it out with --only",
    );
    expect(refusal("docker-env", bytes("A", Buffer.from("a\r")))).toMatch(
      /ends in a carriage return/,
    );
    expect(refusal("docker-env", bytes("A", Buffer.alloc(65_536, 0x61)))).toMatch(
      /longer than a line may be/,
    );
    expect(holds("docker-env", "a\rb")).toBe(true);
  });

  test("a value at the largest size comes back through every reader that may hold it", () => {
    const text = "x".repeat(65_532);
    expect(
      readDockerEnv(Buffer.from(writeFormat("docker-env", bytes("A", Buffer.from(text))))).get("A"),
    ).toBe(text);
    expect(parseDotenv(writeFormat("dotenv", bytes("A", Buffer.from(text))))).toEqual({ A: text });
  });

  test("names that runners keep are refused", () => {
    for (const name of [
      "GITHUB_TOKEN",
      "github_env",
      "RUNNER_TEMP",
      "NODE_OPTIONS",
      "Node_Options",
    ])
      expect(refusal("github-env", bytes(name, Buffer.from("x")))).toMatch(/name that runners/);
  });

  test("a value cannot set another variable in a runner's file", () => {
    const hostile = "a\nghadelimiter\nsallyport_0\nPATH=/tmp\nX<<Y\nz\nY\n";
    const read = readGithubEnv(
      writeFormat("github-env", bytes("A", Buffer.from(hostile))),
      "linux",
    );
    expect([...read]).toEqual([["A", hostile]]);
    const delimiters = Array.from(
      { length: 50 },
      () => /<<(\S+)/.exec(writeFormat("github-env", bytes("A", Buffer.from("x"))))?.[1],
    );
    expect(new Set(delimiters).size).toBe(50);
  });

  test("the few values that dotenv has no form for are refused rather than changed", () => {
    for (const text of ["all quotes ' \" ` \n and lines", '\r"', "line\nends in\\", "#\\"])
      expect(refusal("dotenv", bytes("A", Buffer.from(text)))).toMatch(
        /use --format json or yaml or shell/,
      );
  });

  test("a dotenv file runs nothing when a shell reads it", () => {
    const parts = [
      "'",
      '"',
      "`",
      "$(touch ran)",
      "`touch ran`",
      "; touch ran; ",
      "\\",
      "\r",
      "!!",
      "#",
      "\n",
    ];
    const texts = parts.flatMap((first) => parts.map((second) => `it${first}s${second}x`));
    const held = texts.filter((text) => holds("dotenv", text));
    expect(held.length).toBeGreaterThan(30);
    const file = join(dir, "sourced.env");
    for (const text of held) {
      writeFileSync(file, writeFormat("dotenv", variablesOf([text])));
      const read = execFileSync("sh", ["-c", `set -a; . "${file}"; printf %s "$V_0"`], {
        cwd: dir,
      });
      if (!text.includes("\r")) expect(read.toString()).toBe(text);
    }
    expect(existsSync(join(dir, "ran"))).toBe(false);
    for (const text of ["it's $(touch ran)", "it's `touch ran`", "a'\"$(touch ran)"])
      expect(holds("dotenv", text)).toBe(false);
  });

  test("every format can be written without any variable", () => {
    for (const format of formatNames)
      expect(writeFormat(format, [])).toBe(["json", "yaml"].includes(format) ? "{}\n" : "");
  });
});

test("yaml holds only what YAML calls printable, for readers that insist on it", () => {
  const content = writeFormat("yaml", variablesOf(edgeCases));
  expect(content).not.toMatch(
    /[^\t\n\r\u0020-\u007e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]/u,
  );
});

test("names of json and yaml are any, in their order, and none is taken for a number or a prototype", () => {
  const names = ["b", "10", "2", "__proto__", "null", "my-key", "yes"];
  const variables = names.map((name) => ({ name, plaintext: Buffer.from(name) }));
  const parsed = JSON.parse(writeFormat("json", variables)) as object;
  expect(new Set(Object.keys(parsed))).toEqual(new Set(names));
  expect(
    [...writeFormat("json", variables).matchAll(/^ {2}"(.+?)":/gm)].map(([, name]) => name),
  ).toEqual(names);
  const yaml = parseYaml(writeFormat("yaml", variables), { mapAsMap: true }) as Map<string, string>;
  expect([...yaml.keys()]).toEqual(names);
});
