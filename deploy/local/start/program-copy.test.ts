import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { defaultUidBase } from "../host/account.ts";
import { placeTree } from "./program-copy.ts";

const root = process.getuid?.() === 0;
const needsRoot = root ? "" : " (needs root)";
const reader = { uid: defaultUidBase, gid: defaultUidBase };
const stranger = { uid: defaultUidBase + 1, gid: defaultUidBase + 1 };
let dir = "";
let source = "";
let folder = "";

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-place-"));
  chmodSync(dir, 0o711);
  [source, folder] = [join(dir, "source"), join(dir, "placed")];
  mkdirSync(join(source, "code", "inner"), { recursive: true, mode: 0o700 });
  mkdirSync(join(source, ".git"));
  write("code/open.ts", 0o644);
  write("code/inner/private.ts", 0o600);
  write("code/inner/loose.sh", 0o777);
  write(".git/config", 0o644);
  symlinkSync("inner/private.ts", join(source, "code", "link.ts"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function write(path: string, mode: number): void {
  writeFileSync(join(source, path), path);
  chmodSync(join(source, path), mode);
}

function succeedsAs(user: typeof reader, command: string): boolean {
  return spawnSync("sh", ["-c", command, "sh", folder], { ...user, cwd: "/" }).status === 0;
}

test.skipIf(!root)(
  `the group reads all of it, whatever the umask was, and changes nothing${needsRoot}`,
  () => {
    placeTree(source, folder, ["code"], reader.gid);
    expect(
      succeedsAs(reader, 'cat "$1/code/open.ts" "$1/code/link.ts" "$1/code/inner/loose.sh"'),
    ).toBe(true);
    expect(succeedsAs(reader, 'test -n "$(find "$1" -type l -o -writable -print)"')).toBe(false);
    expect(statSync(join(source, "code/inner/private.ts")).mode & 0o777).toBe(0o600);
  },
);

test.skipIf(!root)(`nobody else enters, and nothing else is there${needsRoot}`, () => {
  placeTree(source, folder, ["code"], reader.gid);
  expect(succeedsAs(stranger, 'cat "$1/code/open.ts"')).toBe(false);
  expect(succeedsAs(stranger, 'ls "$1"')).toBe(false);
  expect(succeedsAs({ uid: 0, gid: 0 }, 'test -e "$1/.git"')).toBe(false);
});

test.skipIf(!root)(
  `a file is linked only when its owner and rights are the copy's${needsRoot}`,
  () => {
    write("code/foreign.ts", 0o644);
    chownSync(join(source, "code/foreign.ts"), stranger.uid, stranger.gid);
    placeTree(source, folder, ["code"], reader.gid);
    const inode = (path: string): number => statSync(path).ino;
    const isLinked = (path: string): boolean =>
      inode(join(source, path)) === inode(join(folder, path));
    const paths = [
      "code/open.ts",
      "code/inner/private.ts",
      "code/inner/loose.sh",
      "code/foreign.ts",
    ];
    expect(paths.filter(isLinked)).toEqual(["code/open.ts"]);
    expect(paths.map((path) => statSync(join(folder, path)).uid)).toEqual([0, 0, 0, 0]);
  },
);

test.skipIf(!root)(`a second placing follows what changed and was removed${needsRoot}`, () => {
  placeTree(source, folder, ["code", "code/inner"], reader.gid);
  rmSync(join(source, "code/open.ts"));
  rmSync(join(source, "code/inner/private.ts"));
  writeFileSync(join(source, "code/inner/private.ts"), "pulled");
  placeTree(source, folder, ["code", "code/inner"], reader.gid);
  expect(readFileSync(join(folder, "code/inner/private.ts"), "utf8")).toBe("pulled");
  expect(() => statSync(join(folder, "code/open.ts"))).toThrow("ENOENT");
});
