import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  AccountInUseError,
  UnreachableDirectoryError,
  checkReachable,
  defaultUidBase,
  processAccounts,
} from "./account.ts";
import { PortInUseError, requireOpenPort } from "../start/ports.ts";

const root = process.getuid?.() === 0;
const needsRoot = root ? "" : " (needs root)";
const stranger = { uid: defaultUidBase, gid: defaultUidBase };
let dir = "";

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-account-"));
  chmodSync(dir, 0o711);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test.skipIf(root)("one who is not root cannot split users", () => {
  expect(processAccounts(defaultUidBase)).toBeUndefined();
});

test.skipIf(!root)(`every process, Redis and the program get ids of their own${needsRoot}`, () => {
  const ids = Object.values(processAccounts(defaultUidBase) ?? {}).map(({ uid, gid }) => [
    uid,
    gid,
  ]);
  expect(ids).toEqual(
    [0, 1, 2, 3, 4, 5, 6, 7].map((n) => [defaultUidBase + n, defaultUidBase + n]),
  );
});

test.skipIf(!root)(`an id that is somebody's is refused${needsRoot}`, () => {
  expect(() => processAccounts(65_530)).toThrow(AccountInUseError); // nobody is 65534
  expect(() => processAccounts(65_530)).toThrow("user id 65534 belongs to nobody");
});

test("a folder that an account cannot enter, and a file that it cannot read, are named", () => {
  const closed = join(dir, "closed");
  mkdirSync(join(closed, "program"), { recursive: true });
  const file = join(closed, "program", "main.ts");
  writeFileSync(file, "");
  checkReachable(file, stranger, "audit");
  chmodSync(file, 0o600);
  expect(() => checkReachable(file, stranger, "audit")).toThrow(`audit cannot read ${file}`);
  chmodSync(closed, 0o700);
  expect(() => checkReachable(file, stranger, "audit")).toThrow(UnreachableDirectoryError);
  expect(() => checkReachable(file, stranger, "audit")).toThrow(`cannot enter ${closed}: allow`);
});

test.skipIf(process.platform !== "linux")("a port that Linux keeps for root is refused", () => {
  expect(() => requireOpenPort(1)).toThrow(PortInUseError);
  requireOpenPort(8443);
});
