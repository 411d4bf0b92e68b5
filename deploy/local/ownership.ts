import { chmodSync, lchownSync, lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Account } from "./account.ts";

/**
 * Lets an account read a folder and its files, whoever owned them before, and change nothing: root owns them, and the
 * account's group may read. The account's own keys are thus safe from it as well.
 */
export function letRead(folder: string, { gid }: Account): void {
  own(folder, { uid: 0, gid }, 0o750);
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isFile()) own(join(folder, entry.name), { uid: 0, gid }, 0o640);
}

/**
 * Gives a folder and everything in it to an account, for a server that keeps its data there; a copy that was put back may
 * belong to anybody. Links are given, never followed: the account may have made them.
 */
export function giveTree(path: string, account: Account): void {
  const { uid, gid } = lstatSync(path);
  if (uid !== account.uid || gid !== account.gid) lchownSync(path, account.uid, account.gid);
  if (!lstatSync(path).isDirectory()) return;
  for (const name of readdirSync(path)) giveTree(join(path, name), account);
}

function own(path: string, { uid, gid }: Account, mode: number): void {
  lchownSync(path, uid, gid);
  chmodSync(path, mode);
}
