import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parseDuration } from "./duration.ts";

const home = mkdtempSync(join(tmpdir(), "sallyport-cli-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

type Run = { readonly code: number; readonly out: string; readonly err: string };

function sallyport(args: readonly string[], env: Record<string, string> = {}, input = ""): Promise<Run> {
  const all = { PATH: process.env["PATH"] ?? "", HOME: home, ...env };
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [join(import.meta.dirname, "main.ts"), ...args],
      { env: all },
      (error, out, err) => {
        resolve({ code: typeof error?.code === "number" ? error.code : 0, out, err });
      },
    );
    child.stdin?.end(input);
  });
}

describe("the command line", () => {
  test("help names the commands, the environment and the exit codes", async () => {
    const { code, out } = await sallyport(["--help"]);
    expect(code).toBe(0);
    for (const word of ["login", "enroll", "run", "SALLYPORT_URL", "Exit codes"]) expect(out).toContain(word);
  });

  test.each([
    ["an unknown command", ["nope"], 2, /unknown command/],
    ["an unknown option", ["get", "A", "--nope"], 2, /unknown option/],
    ["a missing argument", ["get"], 2, /missing required argument/],
    ["no identity", ["get", "A"], 4, /run "sallyport login" or "sallyport enroll"/],
    ["no URL", ["enroll"], 2, /SALLYPORT_ENROLLMENT_TOKEN is not set/],
  ])("%s", async (_, args, code, message) => {
    const run = await sallyport(args);
    expect(run.code).toBe(code);
    expect(run.err).toMatch(message);
  });

  test("a token that was mistyped is a usage error that shows nothing of it", async () => {
    const token = "sp_enr_tok_notwhole";
    const run = await sallyport(["enroll"], {
      SALLYPORT_URL: "https://localhost:1",
      SALLYPORT_ENROLLMENT_TOKEN: token,
    });
    expect(run.code).toBe(2);
    expect(run.err).toMatch(/copy it again/);
    expect(run.err).not.toContain(token);
  });
});

test("durations", () => {
  expect(["90s", "15m", "12h", "30d"].map(parseDuration)).toEqual([90, 900, 43_200, 2_592_000]);
  for (const wrong of ["", "5", "m", "1.5h", "-1s", "1w"])
    expect(() => parseDuration(wrong)).toThrow(/not a duration/);
});
