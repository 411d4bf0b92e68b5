import {
  chmodSync,
  chownSync,
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  type Stats,
  symlinkSync,
} from "node:fs";
import { dirname, join } from "node:path";

/**
 * Places files and folders, named by their paths below `source`, in a new folder that root may
 * change and that the group may read. Nobody else may enter it.
 */
export function placeTree(
  source: string,
  folder: string,
  paths: readonly string[],
  gid: number,
): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { mode: 0o700 });
  for (const path of paths.toSorted()) {
    const target = join(folder, path);
    if (existsSync(target)) continue; // It is inside of one that came before.
    makeFolder(dirname(target));
    copy(join(source, path), target);
  }
  chownSync(folder, 0, gid);
  chmodSync(folder, 0o750);
}

// Whatever the umask is: the folder around it says who may read.
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path);
  chmodSync(path, 0o755);
}

function copy(from: string, to: string): void {
  const found = lstatSync(from);
  if (found.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
  else if (found.isFile()) placeFile(from, to, found);
  else if (found.isDirectory()) {
    makeFolder(to);
    for (const name of readdirSync(from)) copy(join(from, name), join(to, name));
  }
}

// A hard link takes no room, but has the owner and the rights of the file that it is of.
function placeFile(from: string, to: string, { uid, mode }: Stats): void {
  if (uid === 0 && (mode & 0o026) === 0o004 && isLinked(from, to)) return;
  copyFileSync(from, to, constants.COPYFILE_EXCL);
  chownSync(to, 0, 0); // It keeps its owner, too.
  chmodSync(to, (mode & 0o100) === 0 ? 0o644 : 0o755);
}

function isLinked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch {
    return false; // Another file system, or one without links.
  }
}
