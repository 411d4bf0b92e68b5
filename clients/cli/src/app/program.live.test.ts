import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "@sallyport/client/version";
import { afterAll, describe, expect, test, vi } from "vitest";
import { catalogue, groups } from "./catalogue.ts";
import { commandOf } from "../definition/build.ts";
import { parseDuration } from "../definition/options.ts";
import { program, sallyport } from "../testing/sallyport.ts";

const home = mkdtempSync(join(tmpdir(), "sallyport-cli-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));
const run = (args: readonly string[], env: Record<string, string> = {}) =>
  sallyport(args, { HOME: home, ...env });

// On a busy machine each process takes a second.
vi.setConfig({ testTimeout: 60_000 });

describe("the command line", () => {
  test("help names the commands, the environment and the exit codes", async () => {
    const { code, out } = await run(["--help"]);
    expect(code).toBe(0);
    for (const word of ["login", "enroll", "run", "SALLYPORT_URL", "Exit codes"])
      expect(out).toContain(word);
    expect((await run(["help"])).out).toBe(out);
  });

  test.each([["--version"], ["-V"]])("%s prints the version alone", async (flag) => {
    expect(await run([flag])).toEqual({ code: 0, out: `${version}\n`, err: "" });
  });

  test.each<[string, string[], number, RegExp]>([
    [
      "an unknown command",
      ["zzzzzz"],
      2,
      /unknown command 'zzzzzz' \[USAGE\]\n {2}→ "sallyport help"/,
    ],
    ["a typing error", ["gte", "A"], 2, /did you mean get\?/],
    ["a typing error in the second word", ["vault", "lst"], 2, /did you mean list\?/],
    ["a typing error in an option", ["get", "A", "--projct", "x"], 2, /did you mean --project\?/],
    [
      "an unknown option",
      ["get", "A", "--nope"],
      2,
      /unknown option '--nope'.*\n.*"sallyport help get"/,
    ],
    ["a missing argument", ["get"], 2, /missing required argument/],
    ["too many arguments", ["get", "A", "B"], 2, /too many arguments/],
    [
      "a missing second word",
      ["vault"],
      2,
      /vault needs a second word.*\n.*"sallyport help vault"/,
    ],
    ["no command", [], 2, /no command was given/],
    ["a missing option", ["export"], 2, /--format/],
    [
      "a wrong choice",
      ["export", "--format", "xml"],
      2,
      /--format takes dotenv, json, yaml.*not "xml"/,
    ],
    ["a wrong number", ["get", "A", "--version", "0"], 2, /--version takes a number from 1/],
    ["a wrong duration", ["list", "--timeout", "5"], 2, /"5" is not a duration/],
    [
      "a time to try that no timer can hold",
      ["list", "--timeout", "30d"],
      2,
      /--timeout takes 1s to 1d, not 30d/,
    ],
    [
      "a pause that no timer can hold",
      ["audit", "tail", "--every", "30d"],
      2,
      /--every takes 1s to 1h, not 30d/,
    ],
    ["an empty item", ["export", "--format", "json", "--only", "A,"], 2, /empty item/],
    ["an empty item for run", ["run", "--only", "A,", "--", "true"], 125, /empty item/],
    ["no identity for run", ["run", "--", "true"], 125, /no machine's identity/],
    ["nothing to run", ["run"], 125, /missing required argument/],
    [
      "an impossible date",
      ["audit", "list", "--since", "2026-02-30"],
      2,
      /"2026-02-30" is not a time/,
    ],
    ["help for no command", ["help", "nonsense"], 2, /unknown command 'nonsense'/],
    ["no command with --help", ["nonsense", "--help"], 2, /unknown command 'nonsense'/],
    ["no command with -h", ["nonsense", "-h"], 2, /unknown command 'nonsense'/],
    ["help for no second word", ["help", "secret", "nonsense"], 2, /unknown command 'nonsense'/],
    ["help for a word too many", ["help", "get", "nonsense"], 2, /get has no second word/],
    [
      "set, as other tools have it",
      ["set", "A"],
      2,
      /unknown command 'set'.*\n.*"sallyport secret put"/,
    ],
    [
      "import",
      ["import", ".env"],
      2,
      /"sallyport secret put" does that: secrets are stored one by one/,
    ],
    ["secret get", ["secret", "get", "A"], 2, /"sallyport get" does that: machines read values/],
    ["secret set", ["secret", "set", "A"], 2, /"sallyport secret put"/],
    ["init", ["init"], 2, /"sallyport login" does that: as a person; as a machine it is enroll/],
    ["status", ["status"], 2, /"sallyport whoami"/],
    ["auth", ["auth", "login"], 2, /"sallyport login"/],
    ["rollback", ["rollback", "A"], 2, /"sallyport secret rollback"/],
    [
      "--only beside --except",
      ["run", "--only", "A", "--except", "B", "--", "true"],
      125,
      /--only and/,
    ],
    [
      "a name that no secret can have",
      ["secret", "put", "my secret", "--project", "web"],
      2,
      /that cannot be the name of a secret.*\n.*use letters, digits and _ \. -/,
    ],
    ["no project for a secret", ["secret", "put", "A"], 2, /no project is named.*\n.*PROJECT\/A/],
    [
      "two projects for a secret",
      ["secret", "create", "web/A", "--project", "api"],
      2,
      /the name and --project say two projects/,
    ],
    ["no identity", ["get", "A"], 4, /no machine's identity.*\n.*sallyport enroll/],
    ["no identity for people", ["project", "create", "x"], 4, /no user's identity/],
    ["no token", ["enroll"], 2, /SALLYPORT_ENROLLMENT_TOKEN is not set/],
  ])("%s", async (_, args, code, message) => {
    const { code: ended, out, err } = await run(args);
    expect(err).toMatch(message);
    expect({ ended, out }).toEqual({ ended: code, out: "" });
  });

  test("with --json an error is JSON on standard error, before or after the command", async () => {
    for (const args of [
      ["get", "A", "--json"],
      ["--json", "get", "A"],
      ["nope", "--json"],
    ]) {
      const { code, out, err } = await run(args);
      expect(out).toBe("");
      const { error } = JSON.parse(err) as { error: Record<string, unknown> };
      expect(Object.keys(error)).toEqual(["reason", "message", "next", "metadata", "vouched"]);
      expect(code).toBe(args[0] === "nope" ? 2 : 4);
    }
  });

  test("--json behind -- belongs to the command that is run", async () => {
    expect((await run(["run", "--", "true", "--json"])).err).toMatch(/^sallyport: /);
  });

  test("a token that was mistyped is a usage error that shows nothing of it", async () => {
    const token = "sp_enr_tok_notwhole";
    const env = { SALLYPORT_URL: "https://localhost:1", SALLYPORT_ENROLLMENT_TOKEN: token };
    const { code, err } = await run(["enroll"], env);
    expect(code).toBe(2);
    expect(err).toMatch(/copy it again/);
    expect(err).not.toContain(token);
  });

  test.each([
    "http://localhost:1",
    "localhost:1",
    "https://localhost/x",
    "https://a@localhost",
    "ftp://x",
  ])("SALLYPORT_URL=%s is not an address", async (url) => {
    const { code, err } = await run(["enroll"], {
      SALLYPORT_URL: url,
      SALLYPORT_ENROLLMENT_TOKEN: "x",
    });
    expect(code).toBe(2);
    expect(err).toContain("https://host:port");
  });

  test("no colour is written to what is no terminal", async () => {
    expect((await run(["--help"])).out).not.toContain("\u001b");
    expect((await run(["nope"])).err).not.toContain("\u001b");
  });
});

describe("every command", () => {
  const entries = catalogue.map((entry) => [entry.path, entry] as const);

  test.each(entries)(
    "%s has help with examples that its own parser accepts",
    async (path, entry) => {
      const command = await entry.load();
      const built = commandOf(entry, command, async () => undefined);
      const help = built.helpInformation();
      expect(help).toContain(entry.summary);
      for (const option of built.options) expect(option.description, option.flags).not.toBe("");
      for (const [example] of command.examples) {
        const [, words] =
          new RegExp(String.raw`\bsallyport ${path}(?: ([^|<>)]*))?`).exec(example) ?? [];
        expect(words !== undefined || example.includes(`sallyport ${path}`), example).toBe(true);
        const args = [...(words ?? "").matchAll(/'[^']*'|"[^"]*"|\S+/g)].map(([word]) => word);
        const fresh = commandOf(entry, command, async () => undefined).exitOverride();
        await expect(fresh.parseAsync(args, { from: "user" }), example).resolves.toBeDefined();
      }
    },
  );

  test("is a file of its own, and every file is a command", () => {
    const files = readdirSync(join(import.meta.dirname, "..", "commands")).filter(
      (file) => !file.endsWith(".test.ts"),
    );
    expect(files.toSorted()).toEqual(
      catalogue.map(({ path }) => `${path.replace(" ", "-")}.ts`).toSorted(),
    );
  });

  test("with two words belongs to a group that has a summary", () => {
    const nouns = catalogue.flatMap(({ path }) =>
      path.includes(" ") ? [path.split(" ")[0] ?? ""] : [],
    );
    expect(new Set(nouns)).toEqual(new Set(Object.keys(groups)));
  });

  test("has help for its other name", async () => {
    const { code, out } = await run(["help", "secret", "history"]);
    expect(code).toBe(0);
    expect(out).toContain("secret versions|history");
  });

  test("run's help tells of ignored signals, of the forms that are filtered and of its own exit code", async () => {
    const { out } = await run(["help", "run"]);
    const flat = out.replaceAll(/\s+/g, " ");
    for (const part of [
      "sallyport run -- nohup",
      "hexadecimal",
      "printf %q",
      "exit code 125",
      "--except",
    ])
      expect(flat).toContain(part);
  });

  test("is shown in full by help, and all of its group by the group's", async () => {
    expect((await run(["help", "vault", "use"])).out).toContain("sallyport vault use staging");
    const { code, out } = await run(["vault", "--help"]);
    expect(code).toBe(0);
    for (const verb of ["list", "use", "show"]) expect(out).toContain(verb);
  });
});

/**
 * Processor time of one run of a program and its children, in milliseconds, as a shell tells it.
 */
function processorMs(args: readonly string[]): number {
  const { stdout } = spawnSync(
    "sh",
    ["-c", '"$0" "$@" > /dev/null; times', process.execPath, ...args],
    {
      encoding: "utf8",
    },
  );
  const [user, system] = [
    ...(stdout.trim().split("\n").at(-1) ?? "").matchAll(/(\d+)m([\d.]+)s/g),
  ].map(([, minutes, seconds]) => Number(minutes) * 60_000 + Number(seconds) * 1000);
  return (user ?? Number.NaN) + (system ?? Number.NaN);
}

// On a machine that does nothing else it starts in the time that it computes; on a busy one the
// clock tells of the others.
test("--version takes no more than 150 ms", () => {
  const runs = Array.from({ length: 5 }, () => processorMs([program, "--version"]));
  console.info(`--version computes for ${Math.min(...runs).toFixed(0)} ms`);
  expect(Math.min(...runs)).toBeLessThanOrEqual(150);
});

test("durations", () => {
  expect(["90s", "15m", "12h", "30d"].map(parseDuration)).toEqual([90, 900, 43_200, 2_592_000]);
  for (const wrong of ["", "5", "m", "1.5h", "-1s", "1w"])
    expect(() => parseDuration(wrong)).toThrow(/not a duration/);
});
