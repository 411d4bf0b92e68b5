import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ConfigError, type KeyFileEntry, keyFile, readSettings, writeKeyFile } from "./index.ts";

let dir: string;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), "sallyport-keys-"))));
afterEach(() => rmSync(dir, { recursive: true }));

const key = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const line = (keyId: string, byte = 1): string =>
  `${keyId} ${Buffer.from(key(byte)).toString("base64")}\n`;

function read(content: string): readonly KeyFileEntry[] {
  writeFileSync(join(dir, "given"), content, { mode: 0o600 });
  return readFrom(join(dir, "given"));
}

function readFrom(file: string): readonly KeyFileEntry[] {
  return readSettings(
    { SALLYPORT_SLIP_KEY_FILE: file },
    { keys: keyFile("SALLYPORT_SLIP_KEY_FILE") },
  ).keys;
}

test("what was written is read, in order, and is for its owner alone", () => {
  const file = join(dir, "keys");
  const keys = [
    { keyId: "slip-2", key: key(2) },
    { keyId: "slip-1", key: key(1) },
  ];
  writeKeyFile(file, keys);
  expect(readFrom(file)).toEqual(keys);
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test("a key file is never overwritten", () => {
  const file = join(dir, "keys");
  writeKeyFile(file, [{ keyId: "one", key: key(1) }]);
  const before = readFileSync(file);
  expect(() => writeKeyFile(file, [{ keyId: "two", key: key(2) }])).toThrow(/EEXIST/);
  expect(readFileSync(file)).toEqual(before);
});

test.each<[string, KeyFileEntry[]]>([
  ["no key", []],
  ["a short key", [{ keyId: "a", key: new Uint8Array(31) }]],
  ["an id with a space", [{ keyId: "a b", key: key(1) }]],
  ["an id with a line break", [{ keyId: "a\nb", key: key(1) }]],
])("%s is not written", (_, keys) => {
  expect(() => writeKeyFile(join(dir, "keys"), keys)).toThrow(/32 bytes/);
});

test("empty lines and remarks are skipped", () => {
  expect(read(`# preferred first\n\n${line("a")}`)).toHaveLength(1);
});

test.each([
  ["no key", "# nothing\n"],
  ["a line without id", line("a").slice(2)],
  ["a key too short", `a ${Buffer.alloc(31).toString("base64")}\n`],
  ["a key too long", `a ${Buffer.alloc(33).toString("base64")}\n`],
  ["base64 of the URL kind", `a ${"_".repeat(43)}=\n`],
  ["base64 that is not canonical", `a ${"A".repeat(42)}B=\n`],
  ["an id given twice", line("a", 1) + line("a", 2)],
  ["something behind the key", `${line("a").trimEnd()} x\n`],
])("%s is refused", (_, content) => {
  expect(() => read(content)).toThrow(ConfigError);
});

test("a refused line is not repeated: it is a key", () => {
  const wrong = `a ${Buffer.alloc(33, 7).toString("base64")}`;
  expect(() => read(wrong)).not.toThrow(/Bwc/);
  expect(() => read(wrong)).toThrow(/line 1/);
});

test("a key file that everyone may open is refused; one that a group may read is not", () => {
  const file = join(dir, "keys");
  writeKeyFile(file, [{ keyId: "one", key: key(1) }]);
  chmodSync(file, 0o640);
  expect(readFrom(file)).toHaveLength(1);
  chmodSync(file, 0o644);
  expect(() => readFrom(file)).toThrow(/SALLYPORT_SLIP_KEY_FILE.*chmod o-rwx/s);
});
