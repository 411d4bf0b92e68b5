import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, lstat, mkdir, open, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { resolveSafely } from "./safe-links.ts";
import { SallyportError } from "../core/sallyport-error.ts";

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;

/**
 * Writes a file that only its owner may read: mode 0600, atomically, never through a symbolic link
 * and never replacing anything but a regular file. A missing folder is made with mode 0700. Throws
 * IDENTITY_INVALID for a link, a device, a FIFO, a socket or a folder, and where it cannot be
 * written.
 */
export async function writePrivateFile(path: string, content: string | Uint8Array): Promise<void> {
  await write(path, content, 0o600);
}

/** The same for a file that all users may read and its owner may write: mode 0644. */
export async function writePublicFile(path: string, content: string | Uint8Array): Promise<void> {
  await write(path, content, 0o644);
}

/**
 * Replaces a file that holds keys atomically. Owner, group and mode stay: root may replace it for a
 * process that could not read the file otherwise. Throws IDENTITY_INVALID when there is none.
 */
export async function replacePrivateFile(path: string, content: Uint8Array): Promise<void> {
  await write(path, content);
}

async function write(path: string, content: string | Uint8Array, mode?: number): Promise<void> {
  try {
    await writeWhole(path, content, mode);
  } catch (error) {
    if (error instanceof SallyportError) throw error;
    throw new SallyportError("IDENTITY_INVALID", `${path} cannot be written (${codeOf(error)})`, {
      cause: error,
    });
  }
}

// Without a mode the existing file is replaced, and the new one gets its owner and mode.
async function writeWhole(
  path: string,
  content: string | Uint8Array,
  mode?: number,
): Promise<void> {
  const folder = dirname(path);
  if (mode !== undefined) await makeFolder(folder);
  // A rename would replace /dev/null with a file that holds the secret, for every user of the
  // machine to read.
  await checkReplaceable(path);
  const former = mode === undefined ? await stat(path) : undefined;
  const partial = join(folder, `.${basename(path)}.${randomBytes(6).toString("hex")}.part`);
  const file = await open(partial, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    await fill(file, content, mode ?? (former?.mode ?? 0o600) & 0o777, former);
    await rename(partial, path);
    await syncFolder(folder);
  } catch (error) {
    await unlink(partial).catch(() => undefined);
    throw error;
  }
}

/**
 * Checks that a private file may be written at a path: it does not exist or is a regular file.
 * Throws IDENTITY_INVALID for a link, a device, a FIFO, a socket or a folder.
 */
export async function checkReplaceable(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isSymbolicLink()) throw linked(path);
  if (found && !found.isFile()) throw notPlain(path);
}

// Parent by parent: Node's own recursive form does not terminate where a file system refuses new
// folders with ENOENT, as /proc does.
async function makeFolder(path: string): Promise<void> {
  const failed = await makeOne(path);
  if (failed === undefined) return;
  if (codeOf(failed) !== "ENOENT" || dirname(path) === path) throw failed;
  await makeFolder(dirname(path));
  const again = await makeOne(path);
  if (again !== undefined) throw again;
}

async function makeOne(path: string): Promise<Error | undefined> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const isThere = await stat(path).then(
      (found) => found.isDirectory(),
      () => false,
    );
    return isThere ? undefined : toError(error);
  }
  return undefined;
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}

async function fill(
  file: FileHandle,
  content: string | Uint8Array,
  mode: number,
  owner?: Owner,
): Promise<void> {
  try {
    if (owner) await giveTo(file, owner);
    await file.chmod(mode); // The umask may have removed the owner's own rights.
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

type Owner = { readonly uid: number; readonly gid: number };

async function giveTo(file: FileHandle, { uid, gid }: Owner): Promise<void> {
  const found = await file.stat();
  if (found.uid !== uid || found.gid !== gid) await file.chown(uid, gid);
}

// A renamed file is durable after a power failure only if the folder is synced, too. Not every file
// system can sync a folder, and the file is written already: that is no error.
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, O_RDONLY).catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}

/**
 * Reads a file that only its owner may read; undefined when there is none. Throws IDENTITY_INVALID,
 * with the command that repairs it, for a file that others may read, that another user owns, or
 * that is not a regular file.
 *
 * As in volumes of Kubernetes, the file may be reached through links that no other user can have
 * made or can replace (`resolveSafely`), and may belong to root with read permission for a group of
 * this process (0440, 0640).
 *
 * Security: everything is checked on the open file, so that the checked file is the one that is
 * read.
 */
export async function readPrivateFile(path: string): Promise<string | undefined> {
  const isLink = (await lstat(path).catch(() => undefined))?.isSymbolicLink() === true;
  const place = isLink ? await resolveSafely(path) : path;
  const file = place === undefined ? undefined : await openPlain(place, O_RDONLY);
  if (!file) return undefined;
  try {
    const { mode, uid, gid } = await file.stat();
    const orVolume = isLink ? ", or set defaultMode: 0400 of the volume" : "";
    const fix = `run "chmod 600 ${path}"${orVolume}`;
    // Root gets the error for its own files, as every user does: it did not make those of a volume.
    const isGiven = uid === 0 && (isLink || process.getuid?.() !== 0);
    const isOurGroups = (mode & 0o077) === 0o040 && isGiven && ownGroups().includes(gid);
    if ((mode & 0o077) !== 0 && !isOurGroups)
      throw new SallyportError("IDENTITY_INVALID", `others may read ${path}: ${fix}`);
    const me = process.getuid?.();
    if (me !== undefined && uid !== me && uid !== 0)
      throw new SallyportError(
        "IDENTITY_INVALID",
        `${path} belongs to another user: run "chown ${me} ${path}"`,
      );
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

function ownGroups(): readonly number[] {
  return [process.getegid?.() ?? -1, ...(process.getgroups?.() ?? [])];
}

/**
 * Reads a file that holds keys of a process: it may be readable by its owner and group only, and
 * root may read it for any owner. Throws IDENTITY_INVALID for any other file, and when there is
 * none.
 *
 * Security: everything is checked on the open file, so that the checked file is the one that is
 * read.
 */
export async function readKeyBytes(path: string): Promise<Buffer> {
  const file = await openPlain(path, O_RDONLY);
  if (!file) throw new SallyportError("IDENTITY_INVALID", `there is no key file at ${path}`);
  try {
    const { mode, uid } = await file.stat();
    if ((mode & 0o007) !== 0)
      throw new SallyportError(
        "IDENTITY_INVALID",
        `everyone may open ${path}: run "chmod o-rwx ${path}"`,
      );
    const me = process.getuid?.();
    if (me !== undefined && me !== 0 && uid !== me && uid !== 0)
      throw new SallyportError(
        "IDENTITY_INVALID",
        `${path} belongs to another user: run this as that user`,
      );
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/**
 * Overwrites a file's content and removes it; false when there is none. Throws IDENTITY_INVALID for
 * a link.
 */
export async function erasePrivateFile(path: string): Promise<boolean> {
  const file = await openPlain(path, O_RDWR);
  if (!file) return false;
  try {
    const { size } = await file.stat();
    await file.write(randomBytes(size), 0, size, 0);
    await file.sync();
  } finally {
    await file.close();
  }
  // A concurrent call may have removed it meanwhile.
  await unlink(path).catch((error: unknown) => {
    if (codeOf(error) !== "ENOENT") throw error;
  });
  return true;
}

async function openPlain(path: string, access: number): Promise<FileHandle | undefined> {
  const file = await open(path, access | O_NOFOLLOW | O_NONBLOCK).catch((error: unknown) => {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    if (code === "ELOOP") throw linked(path);
    throw new SallyportError("IDENTITY_INVALID", `${path} cannot be opened (${code})`, {
      cause: error,
    });
  });
  if (file && !(await file.stat()).isFile()) {
    await file.close();
    throw notPlain(path);
  }
  return file;
}

function notPlain(path: string): SallyportError {
  return new SallyportError("IDENTITY_INVALID", `${path} is not a plain file`);
}

function linked(path: string): SallyportError {
  return new SallyportError(
    "IDENTITY_INVALID",
    `${path} is a symbolic link: put what it names in its place`,
  );
}

/**
 * Checks that other users have no access to a folder; a missing one passes. Throws IDENTITY_INVALID
 * with the command that repairs it.
 */
export async function checkPrivateFolder(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (!found) return;
  if (found.isSymbolicLink()) throw linked(path);
  if (!found.isDirectory()) throw new SallyportError("IDENTITY_INVALID", `${path} is not a folder`);
  if ((found.mode & 0o077) !== 0)
    throw new SallyportError(
      "IDENTITY_INVALID",
      `others may enter ${path}: run "chmod 700 ${path}"`,
    );
}
