import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { keptOrNewKeys, writeNewFile } from "./index.ts";

let dir: string;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), "sallyport-new-file-"))));
afterEach(() => rmSync(dir, { recursive: true }));

test("a new file is whole, for its owner alone, and nothing is left beside it", () => {
  writeNewFile(join(dir, "file"), Buffer.from("content"));
  expect(readFileSync(join(dir, "file"), "utf8")).toBe("content");
  expect(statSync(join(dir, "file")).mode & 0o777).toBe(0o600);
  expect(readdirSync(dir)).toEqual(["file"]);
});

test("a file that exists stays as it is, and nothing is left beside it", () => {
  writeNewFile(join(dir, "file"), Buffer.from("first"));
  expect(() => writeNewFile(join(dir, "file"), Buffer.from("second"))).toThrow(/EEXIST/);
  expect(readFileSync(join(dir, "file"), "utf8")).toBe("first");
  expect(readdirSync(dir)).toEqual(["file"]);
});

test("keys are made once and kept", () => {
  const first = keptOrNewKeys("SALLYPORT_X", join(dir, "keys"), "slip");
  expect(first).toEqual([
    {
      keyId: expect.stringMatching(/^slip-[0-9a-f]{8}$/) as string,
      key: expect.anything() as Uint8Array,
    },
  ]);
  expect(first[0]?.key.length).toBe(32);
  expect(keptOrNewKeys("SALLYPORT_X", join(dir, "keys"), "slip")).toEqual(first);
  expect(() => keptOrNewKeys("SALLYPORT_X", dir, "slip")).toThrow(/^SALLYPORT_X /);
});
