import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { publicKeyOf } from "@sallyport/evidence";
import { afterEach, beforeEach, expect, test } from "vitest";

const program = fileURLToPath(new URL("key-create.ts", import.meta.url));
let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "sallyport-log-key-"))));
afterEach(() => rmSync(folder, { recursive: true }));

function run(file: string, answerFile: string): string {
  const env = {
    PATH: process.env["PATH"],
    SALLYPORT_LOG_KEY_FILE: file,
    SALLYPORT_ANSWER_KEY_FILE: answerFile,
  };
  return execFileSync(process.execPath, [program], { env, encoding: "utf8", stdio: "pipe" });
}

test("makes audit's keys for their owner alone once, and tells the public halves", () => {
  const files = ["log.key", "answer.key"].map((name) => join(folder, name));
  const [file = "", answerFile = ""] = files;
  const printed = run(file, answerFile);
  const keys = files.map((name) => {
    const [keyId = "", base64 = ""] = readFileSync(name, "utf8").trimEnd().split(" ");
    expect(keyId).toMatch(/^[a-z0-9-]{1,64}$/);
    expect(statSync(name).mode & 0o777).toBe(0o600);
    expect(printed).not.toContain(base64);
    return {
      keyId,
      publicKey: Buffer.from(publicKeyOf(Buffer.from(base64, "base64"))).toString("base64"),
    };
  });
  expect(JSON.parse(printed)).toEqual({
    keys: [
      { ...keys[0], use: "LOG" },
      { ...keys[1], use: "ANSWER", holder: "audit" },
    ],
  });
  const before = files.map((name) => readFileSync(name, "utf8"));
  expect(run(file, answerFile)).toBe(printed);
  expect(files.map((name) => readFileSync(name, "utf8"))).toEqual(before);
  for (const [name, variable] of [
    [file, "SALLYPORT_LOG_KEY_FILE"],
    [answerFile, "SALLYPORT_ANSWER_KEY_FILE"],
  ] as const) {
    const held = readFileSync(name);
    writeFileSync(name, "no key");
    expect(() => run(file, answerFile)).toThrow(`${variable} names a key file whose line 1 is not`);
    expect(readFileSync(name, "utf8")).toBe("no key");
    writeFileSync(name, held);
  }
});
