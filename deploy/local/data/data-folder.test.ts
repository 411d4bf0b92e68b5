import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { UnreachableDirectoryError, defaultUidBase } from "../host/account.ts";
import { AlreadyRunningError } from "./claim.ts";
import { DataFolderError, settleData } from "./data-folder.ts";
import { startOf } from "../host/process.ts";

const users = [{ uid: defaultUidBase, gid: defaultUidBase }];
let dir = "";
let kept = "";
let wanted = "";

beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "sallyport-data-")));
  chmodSync(dir, 0o711);
  kept = join(dir, "kept");
  mkdirSync(join(dir, "closed"), { mode: 0o700 });
  wanted = join(dir, "closed", "a clone", ".sallyport");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const settle = (place = wanted): string => settleData(place, users, kept);
const mode = (path: string): number => statSync(path).mode & 0o777;

test("data stays where all may enter, and a folder of its own that was closed is opened", () => {
  const open = join(dir, "data");
  expect(settle(open)).toBe(open);
  mkdirSync(join(open, "supervisor"), { recursive: true });
  chmodSync(open, 0o700);
  expect(settle(open)).toBe(open);
  expect(mode(open)).toBe(0o711);
  expect(existsSync(kept)).toBe(false);
});

test("a closed folder that holds something else is left as it is", () => {
  const other = join(dir, "other");
  mkdirSync(other, { mode: 0o700 });
  writeFileSync(join(other, "notes"), "");
  settle(other);
  expect(mode(other)).toBe(0o700);
});

test("in a closed place it is kept elsewhere, and linked; the next start finds it again", () => {
  const target = settle();
  expect(readlinkSync(wanted)).toBe(target);
  expect([mode(kept), mode(target)]).toEqual([0o711, 0o711]);
  writeFileSync(join(target, "kek.key"), "k");
  expect(settle()).toBe(target);
  rmSync(wanted);
  expect(settle()).toBe(target);
  expect(readFileSync(join(wanted, "kek.key"), "utf8")).toBe("k");
});

test("each place has its own", () => {
  expect(settle(join(dir, "closed", "second", ".sallyport"))).not.toBe(settle());
  expect(readdirSync(kept)).toHaveLength(2);
});

test("a copy that was put back is moved there", () => {
  mkdirSync(join(wanted, "supervisor"), { recursive: true });
  writeFileSync(join(wanted, "kek.key"), "k");
  const target = settle();
  expect(readFileSync(join(target, "kek.key"), "utf8")).toBe("k");
  expect(readlinkSync(wanted)).toBe(target);
});

const memory = "/dev/shm";
const isOther = existsSync(memory) && statSync(memory).dev !== statSync(tmpdir()).dev;
test.skipIf(!isOther)(
  `a copy is moved to another file system, too${isOther ? "" : " (there is none)"}`,
  () => {
    mkdirSync(join(wanted, "supervisor"), { recursive: true });
    writeFileSync(join(wanted, "kek.key"), "k", { mode: 0o600 });
    kept = mkdtempSync(join(memory, "sallyport-data-"));
    try {
      chmodSync(kept, 0o711);
      const target = settle();
      expect(readFileSync(join(wanted, "kek.key"), "utf8")).toBe("k");
      expect(mode(join(target, "kek.key"))).toBe(0o600);
      expect(readdirSync(kept)).toHaveLength(1);
    } finally {
      rmSync(kept, { recursive: true });
    }
  },
);

test("of two that both hold data none is chosen or changed", () => {
  writeFileSync(join(settle(), "kek.key"), "old");
  rmSync(wanted);
  mkdirSync(wanted);
  writeFileSync(join(wanted, "kek.key"), "new");
  expect(() => settle()).toThrow(DataFolderError);
  expect(readFileSync(join(wanted, "kek.key"), "utf8")).toBe("new");
});

test("a link to data that is gone is named, and nothing is made anew", () => {
  rmSync(settle(), { recursive: true });
  expect(() => settle()).toThrow("is not there: put the data back from a copy");
  expect(readdirSync(kept)).toEqual([]);
});

test("a link of one's own is followed", () => {
  const own = join(dir, "own");
  mkdirSync(own);
  mkdirSync(join(dir, "closed", "a clone"));
  symlinkSync(own, wanted);
  expect(settle()).toBe(own);
});

test("the data of a running deployment is not moved", () => {
  mkdirSync(join(wanted, "supervisor"), { recursive: true });
  writeFileSync(join(wanted, "supervisor", "owner"), `${process.ppid}\n${startOf(process.ppid)}\n`);
  expect(() => settle()).toThrow(AlreadyRunningError);
  expect(existsSync(join(wanted, "supervisor"))).toBe(true);
});

test("a place for it that is closed itself is named", () => {
  kept = join(dir, "closed", "kept");
  expect(() => settle()).toThrow(UnreachableDirectoryError);
});
