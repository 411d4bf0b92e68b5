import { type Dirent, readFileSync, readdirSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import type { Client } from "pg";
import { tablesOf } from "../system/databases.ts";
import type { Search } from "./canary.ts";

/** Where canaries were found: lines `place: canary`, sorted. */
export type Found = readonly string[];

/**
 * Searches every file under a folder, but not installed packages, nor the paths that are left out.
 */
export function searchFiles(folder: string, search: Search, options: Choice = {}): Found {
  const { newerThanMs = 0, leaveOut = [] } = options;
  const found: string[] = [];
  for (const file of filesUnder(folder, leaveOut)) {
    const bytes = readOrNothing(file, newerThanMs);
    for (const name of search(bytes).keys()) found.push(`${relative(folder, file)}: ${name}`);
  }
  return found.toSorted();
}

/** Which files to search. */
export type Choice = { readonly newerThanMs?: number; readonly leaveOut?: readonly string[] };

function* filesUnder(folder: string, leaveOut: readonly string[]): Generator<string> {
  for (const entry of entriesOf(folder)) {
    const path = join(folder, entry.name);
    if (leaveOut.includes(path) || entry.name === "node_modules") continue;
    if (entry.isDirectory()) yield* filesUnder(path, leaveOut);
    else if (entry.isFile()) yield path;
  }
}

// Others' files may go while they are listed.
function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

function readOrNothing(file: string, newerThanMs: number): Buffer {
  try {
    return statSync(file).mtimeMs >= newerThanMs ? readFileSync(file) : Buffer.alloc(0);
  } catch {
    return Buffer.alloc(0);
  }
}

/** Searches every row of every table of a database, as text; bytes are hex there. */
export async function searchDatabase(client: Client, search: Search): Promise<Found> {
  const found: string[] = [];
  for (const name of await tablesOf(client)) {
    const { rows } = await client.query<{ text: string }>(`select t::text as text from ${name} t`);
    const text = Buffer.from(rows.map((row) => row.text).join("\n"));
    for (const canary of search(text).keys()) found.push(`${name}: ${canary}`);
  }
  return found;
}

/** The processes under one, with itself. */
export function processTree(root: number): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const parents = pids.map((pid) => [Number(pid), parentOf(pid)]);
  const below = (pid: number): number[] => [
    pid,
    ...parents.filter(([, parent]) => parent === pid).flatMap(([child = 0]) => below(child)),
  ];
  return below(root);
}

// A minimal system has no ps. One that is gone meanwhile has no parent.
function parentOf(pid: string): number {
  const status = readOrNothing(`/proc/${pid}/status`, 0).toString();
  return Number(/^PPid:\s*(\d+)$/m.exec(status)?.[1]);
}

/** Searches the arguments and the environment of processes. */
export function searchArguments(pids: readonly number[], search: Search): Found {
  return pids.flatMap((pid) =>
    ["cmdline", "environ"].flatMap((part) => {
      const bytes = readOrNothing(`/proc/${pid}/${part}`, 0);
      return [...search(bytes).keys()].map((name) => `${part}: ${name}`);
    }),
  );
}
