import { chmodSync, lchownSync, lstatSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { writePrivateFile } from "@sallyport/client";
import type { Account } from "../host/account.ts";

/**
 * Lets an account read a folder and its files, regardless of their former owner, and change
 * nothing: root owns them, and the account's group may read. The account's own keys are thus safe
 * from it as well.
 */
export function letRead(folder: string, { gid }: Account): void {
  own(folder, { uid: 0, gid }, 0o750);
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isFile()) own(join(folder, entry.name), { uid: 0, gid }, 0o640);
}

/**
 * Gives a folder and everything in it to an account, for a server that keeps its data there; a copy
 * that was put back may belong to anybody. Links are given, never followed: the account may have
 * made them.
 */
export function giveTree(path: string, account: Account): void {
  const { uid, gid } = lstatSync(path);
  if (uid !== account.uid || gid !== account.gid) lchownSync(path, account.uid, account.gid);
  if (!lstatSync(path).isDirectory()) return;
  for (const name of readdirSync(path)) giveTree(join(path, name), account);
}

/**
 * Writes a file whole or not at all, for those who may read its folder: root's alone, or, in a
 * folder that letRead gave to a group, that group's as well.
 */
export async function writeForFolder(path: string, content: string): Promise<void> {
  await writePrivateFile(path, content);
  if (process.getuid?.() !== 0) return; // Everything is this user's, and stays so.
  const { mode, gid } = statSync(dirname(path));
  if ((mode & 0o040) !== 0) own(path, { uid: 0, gid }, 0o640);
}

function own(path: string, { uid, gid }: Account, mode: number): void {
  lchownSync(path, uid, gid);
  chmodSync(path, mode);
}
