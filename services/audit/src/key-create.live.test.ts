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

function run(file: string): string {
  const env = { PATH: process.env["PATH"], SALLYPORT_LOG_KEY_FILE: file };
  return execFileSync(process.execPath, [program], { env, encoding: "utf8", stdio: "pipe" });
}

test("makes the log key for its owner alone once, and tells the public half", () => {
  const file = join(folder, "log.key");
  const printed = run(file);
  const [keyId = "", base64 = ""] = readFileSync(file, "utf8").trimEnd().split(" ");
  const publicKey = Buffer.from(publicKeyOf(Buffer.from(base64, "base64"))).toString("base64");
  expect(JSON.parse(printed)).toEqual({ keys: [{ keyId, use: "LOG", publicKey }] });
  expect(keyId).toMatch(/^[a-z0-9-]{1,64}$/);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(printed).not.toContain(base64);
  expect(run(file)).toBe(printed);
  expect(readFileSync(file, "utf8")).toBe(`${keyId} ${base64}\n`);
  writeFileSync(file, "no key");
  expect(() => run(file)).toThrow(/SALLYPORT_LOG_KEY_FILE names a key file whose line 1 is not/);
  expect(readFileSync(file, "utf8")).toBe("no key");
});
