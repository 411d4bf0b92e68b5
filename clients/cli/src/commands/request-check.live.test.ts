import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { sallyport } from "../testing/sallyport.ts";

const home = mkdtempSync(join(tmpdir(), "sallyport-cli-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const file = (name: string) => join(import.meta.dirname, "..", "requests", "testdata", name);
const check = (args: readonly string[], input: string | Uint8Array = "") =>
  sallyport(["request", "check", ...args], { HOME: home }, input);

test("a request that holds is shown step by step, with what was signed and nothing of its content", async () => {
  const { code, out, err } = await check([file("curl-enroll.http")]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toMatch(/✓ head .*\n✓ content-type .*\n(✓ .*\n){11}/);
  expect(out).toContain('\n"@method": POST\n"@authority": localhost:');
  expect(out).toMatch(/content +\d+ bytes, SHA-256 [0-9a-f]{64}/);
  const { token } = JSON.parse(bodyOf("curl-enroll.http")) as { token: { proof: string } };
  expect(out).not.toContain(token.proof);
});

test("one that does not is exit code 3, and says where; --json as well", async () => {
  const broken = readFileSync(file("curl-enroll.http"), "latin1").replace("/Enroll", "/GetToken");
  const shown = await check(["-"], Buffer.from(broken, "latin1"));
  expect(shown.code).toBe(3);
  expect(shown.out).toMatch(/✗ signature +it does not hold; .*\n! method +not come to: /);
  const { code, out } = await check(["-", "--json"], Buffer.from(broken, "latin1"));
  const told = JSON.parse(out) as { holds: boolean; steps: { step: string; status: string }[] };
  expect([code, told.holds]).toEqual([3, false]);
  expect(told.steps.find(({ status }) => status === "bad")?.step).toBe("signature");
});

test("the key is asked for where nothing tells it", async () => {
  const { code, err } = await check([file("curl-read.http")]);
  expect(code).toBe(2);
  expect(err).toMatch(/the key of mch_0123456789abcdefghjk is not known here/);
  const [, key = ""] =
    /keyid="key:([^"]+)"/.exec(readFileSync(file("curl-enroll.http"), "latin1")) ?? [];
  expect((await check([file("curl-read.http"), "--key", key])).code).toBe(0);
});

function bodyOf(name: string): string {
  return readFileSync(file(name), "latin1").split("\r\n\r\n")[1] ?? "";
}
