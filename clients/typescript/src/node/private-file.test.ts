import {
  chmodSync,
  chownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  checkPrivateFolder,
  erasePrivateFile,
  readKeyBytes,
  readPrivateFile,
  replacePrivateFile,
  writePrivateFile,
} from "./private-file.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-private-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const invalid: unknown = expect.objectContaining({ reason: "IDENTITY_INVALID" });

describe("a private file", () => {
  test("is written whole, 0600 whatever the umask and the file before it allowed", async () => {
    const path = join(dir, "file");
    writeFileSync(path, "before", { mode: 0o666 });
    const umask = process.umask(0o277);
    try {
      await writePrivateFile(path, "after");
    } finally {
      process.umask(umask);
    }
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await readPrivateFile(path)).toBe("after");
    expect(readdirSync(dir)).toEqual(["file"]);
  });

  test("of keys is replaced whole, for whom it was for before, and never made anew", async () => {
    const path = join(dir, "keys");
    await expect(replacePrivateFile(path, Buffer.from("keys"))).rejects.toThrow(invalid);
    expect(readdirSync(dir)).toEqual([]);
    writeFileSync(path, "before");
    chmodSync(path, 0o640);
    if (process.getuid?.() === 0) chownSync(path, 0, 12_345);
    const { uid, gid } = statSync(path);
    await replacePrivateFile(path, Buffer.from("after"));
    expect((await readKeyBytes(path)).toString()).toBe("after");
    expect(statSync(path)).toMatchObject({ uid, gid });
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(readdirSync(dir)).toEqual(["keys"]);
  });

  test("of keys is not read when everyone may, through a link, or when it is not there", async () => {
    const path = join(dir, "keys");
    await expect(readKeyBytes(path)).rejects.toThrow("there is no key file at");
    writeFileSync(path, "keys");
    chmodSync(path, 0o604);
    await expect(readKeyBytes(path)).rejects.toThrow(/everyone may open .*chmod o-rwx/);
    chmodSync(path, 0o600);
    symlinkSync(path, join(dir, "link"));
    await expect(readKeyBytes(join(dir, "link"))).rejects.toThrow(invalid);
  });

  test("is never written or erased through a symbolic link", async () => {
    const target = join(dir, "target");
    writeFileSync(target, "theirs", { mode: 0o600 });
    const path = join(dir, "link");
    symlinkSync(target, path);
    await expect(writePrivateFile(path, "mine")).rejects.toThrow(invalid);
    await expect(erasePrivateFile(path)).rejects.toThrow(invalid);
    expect(readFileSync(target, "utf8")).toBe("theirs");
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
  });

  test("takes the place of nothing but a plain file", async () => {
    const fifo = join(dir, "fifo");
    execFileSync("mkfifo", [fifo]);
    const folder = join(dir, "folder");
    mkdirSync(folder);
    for (const path of [fifo, folder, "/dev/null"]) {
      const before = lstatSync(path).mode;
      await expect(writePrivateFile(path, "secret"), path).rejects.toThrow(/is not a plain file/);
      expect(lstatSync(path).mode, path).toBe(before);
    }
  });

  test("says where it cannot be written, at once", async () => {
    for (const path of ["/proc/none/of/it/file", "/dev/null/file"])
      await expect(writePrivateFile(path, "x"), path).rejects.toThrow(
        new RegExp(`${path} cannot be written \\(E`),
      );
  });

  test("is erased by two at once", async () => {
    const path = join(dir, "twice");
    await writePrivateFile(path, "x");
    await expect(Promise.all([erasePrivateFile(path), erasePrivateFile(path)])).resolves.toContain(
      true,
    );
  });

  test("that others may read is refused with the command that mends it", async () => {
    const path = join(dir, "loose");
    await writePrivateFile(path, "x");
    for (const mode of [0o640, 0o604, 0o620, 0o601]) {
      chmodSync(path, mode);
      await expect(readPrivateFile(path), mode.toString(8)).rejects.toThrow(`chmod 600 ${path}`);
    }
  });

  const root = process.getuid?.() === 0;
  test.skipIf(!root)(`of another user is refused${root ? "" : " (needs root)"}`, async () => {
    const path = join(dir, "theirs");
    await writePrivateFile(path, "x");
    execFileSync("chown", ["1", path]);
    await expect(readPrivateFile(path)).rejects.toThrow(/belongs to another user/);
  });

  test("a pipe, a folder and nothing at all are not read", async () => {
    const pipe = join(dir, "pipe");
    execFileSync("mkfifo", ["-m", "600", pipe]);
    await expect(readPrivateFile(pipe)).rejects.toThrow(/not a plain file/);
    await expect(readPrivateFile(dir)).rejects.toThrow(invalid);
    expect(await readPrivateFile(join(dir, "none"))).toBeUndefined();
  });

  test("is overwritten before it is removed", async () => {
    const path = join(dir, "file");
    writeFileSync(path, "a secret that must go", { mode: 0o600 });
    const beside = join(dir, "beside");
    execFileSync("ln", [path, beside]); // The same file under a second name shows what is left of it.
    expect(await erasePrivateFile(path)).toBe(true);
    expect(readdirSync(dir)).toEqual(["beside"]);
    expect(readFileSync(beside, "latin1")).not.toContain("secret");
    expect(await erasePrivateFile(path)).toBe(false);
  });

  test("a write that fails leaves what was there, and nothing beside it", async () => {
    const path = join(dir, "folder");
    mkdirSync(path);
    await expect(writePrivateFile(path, "x")).rejects.toThrow();
    expect(readdirSync(dir)).toEqual(["folder"]);
  });
});

describe("a private file on a volume of Kubernetes", () => {
  const isRoot = process.getuid?.() === 0;
  const needsRoot = isRoot ? "" : " (skipped: only root can give files away)";

  /** Lays out `key` as the kubelet does: ..data is moved from one folder of a date to the next. */
  function volume(mode: number): { readonly path: string; readonly file: string } {
    const dated = "..2026_11_30_21_00_00.1";
    mkdirSync(join(dir, dated));
    const file = join(dir, dated, "key");
    writeFileSync(file, "of the volume", { mode });
    chmodSync(file, mode);
    symlinkSync(dated, join(dir, "..data"));
    symlinkSync(join("..data", "key"), join(dir, "key"));
    chmodSync(dir, 0o1777);
    return { path: join(dir, "key"), file };
  }

  test("is read through its links, and never written or erased there", async () => {
    const { path } = volume(0o400);
    expect(await readPrivateFile(path)).toBe("of the volume");
    await expect(writePrivateFile(path, "x")).rejects.toThrow(/symbolic link/);
    await expect(erasePrivateFile(path)).rejects.toThrow(/symbolic link/);
  });

  test("is told how to be closed when others may read it", async () => {
    const { path } = volume(0o644);
    await expect(readPrivateFile(path)).rejects.toThrow(/defaultMode: 0400/);
  });

  test("leads nowhere, in a circle, or to no file", async () => {
    symlinkSync("nothing", join(dir, "dangling"));
    expect(await readPrivateFile(join(dir, "dangling"))).toBeUndefined();
    symlinkSync("circle", join(dir, "circle"));
    await expect(readPrivateFile(join(dir, "circle"))).rejects.toThrow(invalid);
    symlinkSync("/dev/null", join(dir, "device"));
    await expect(readPrivateFile(join(dir, "device"))).rejects.toThrow(/not a plain file/);
  });

  test("is refused where everybody may replace a link or a folder of the way", async () => {
    const { path } = volume(0o400);
    chmodSync(dir, 0o777);
    await expect(readPrivateFile(path)).rejects.toThrow(/another user could change where it leads/);
    chmodSync(dir, 0o1777);
    chmodSync(join(dir, "..2026_11_30_21_00_00.1"), 0o777);
    await expect(readPrivateFile(path)).rejects.toThrow(/another user could change where it leads/);
    const elsewhere = mkdtempSync(join(tmpdir(), "sallyport-open-"));
    try {
      chmodSync(elsewhere, 0o777);
      symlinkSync(path, join(elsewhere, "link"));
      await expect(readPrivateFile(join(elsewhere, "link"))).rejects.toThrow(invalid);
    } finally {
      rmSync(elsewhere, { recursive: true });
    }
  });

  test.skipIf(!isRoot)(`is refused where another user put a link${needsRoot}`, async () => {
    const { path } = volume(0o400);
    for (const link of [path, join(dir, "..data")]) {
      lchownSync(link, 1, 1);
      await expect(readPrivateFile(path), link).rejects.toThrow(/another user could change/);
      lchownSync(link, 0, 0);
    }
    expect(await readPrivateFile(path)).toBe("of the volume");
  });

  test.skipIf(!isRoot)(
    `may be of root for a group of the process, to read${needsRoot}`,
    async () => {
      const { path, file } = volume(0o440);
      const program = join(import.meta.dirname, "private-file.ts");
      const read = (group: number): string => {
        // What it runs is loaded before: the repository may be closed to others.
        const script = `
        const { readPrivateFile } = await import(${JSON.stringify(program)});
        process.setgroups([]);
        process.setgid(${group});
        process.setuid(65534);
        console.log(await readPrivateFile(${JSON.stringify(path)}).catch((error) => error.message));`;
        const args = ["--input-type=module", "-e", script];
        return execFileSync(process.execPath, args, { encoding: "utf8" }).trim();
      };
      chmodSync(file, 0o440);
      chownSync(file, 0, 2000);
      expect(read(2000)).toBe("of the volume");
      chmodSync(file, 0o640);
      expect(read(2000)).toBe("of the volume");
      chmodSync(file, 0o660);
      expect(read(2000)).toMatch(/others may read/);
      chmodSync(file, 0o440);
      expect(read(2001)).toMatch(/others may read|cannot be opened/);
      chownSync(file, 1, 2000);
      expect(read(2000)).toMatch(/another user could change/);
      chownSync(file, 0, 2000);
      await expect(readPrivateFile(path)).rejects.toThrow(/others may read/);
    },
  );
});

test("a folder that others may enter is refused with the command that mends it", async () => {
  const folder = join(dir, "config");
  await checkPrivateFolder(folder);
  mkdirSync(folder, { mode: 0o700 });
  await checkPrivateFolder(folder);
  chmodSync(folder, 0o750);
  await expect(checkPrivateFolder(folder)).rejects.toThrow(`chmod 700 ${folder}`);
  const link = join(dir, "link");
  symlinkSync(folder, link);
  await expect(checkPrivateFolder(link)).rejects.toThrow(/symbolic link/);
});
