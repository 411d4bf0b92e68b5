import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import type { Search } from "./canary.ts";

type Region = { readonly from: number; readonly to: number };

const chunkBytes = 32 * 1024 * 1024;
const overlapBytes = 256;
const pageBytes = 4096;
const entryBytes = 8;

/**
 * Whether the memory of a process can be read here: it takes Linux and the rights of a debugger.
 */
export function canReadMemory(pid: number): boolean {
  try {
    closeSync(openSync(`/proc/${pid}/mem`, "r"));
    return true;
  } catch {
    return false;
  }
}

/**
 * How often each canary is in the memory of a process: all that it wrote itself, and so more than a
 * snapshot of its heap, which has no buffers and nothing that was freed. Regions that it shares
 * with others are searched once for a `shared`.
 */
export function countInMemory(
  pid: number,
  search: Search,
  shared: Set<string> = new Set<string>(),
): Map<string, number> {
  const memory = openSync(`/proc/${pid}/mem`, "r");
  const counts = new Map<string, number>();
  try {
    for (const chunk of chunksOf(pid, memory, changedRegions(pid, shared)))
      for (const [name, count] of search(chunk)) counts.set(name, (counts.get(name) ?? 0) + count);
  } finally {
    closeSync(memory);
  }
  return counts;
}

function* chunksOf(pid: number, memory: number, regions: readonly Region[]): Generator<Buffer> {
  const pages = openSync(`/proc/${pid}/pagemap`, "r");
  try {
    for (const region of regions) {
      for (const { from, to } of presentIn(pages, region)) {
        for (let at = from; at < to; at += chunkBytes) {
          const bytes = Buffer.alloc(Math.min(chunkBytes + overlapBytes, to - at));
          const length = readOrNothing(memory, bytes, at);
          if (length > 0) yield bytes.subarray(0, length);
        }
      }
    }
  } finally {
    closeSync(pages);
  }
}

// Most of a large region was never touched. Of each page the kernel tells in eight bytes whether it
// is in memory or swapped out: the two highest bits.
function presentIn(pages: number, { from, to }: Region): Region[] {
  const entries = Buffer.alloc(((to - from) / pageBytes) * entryBytes);
  const length = readOrNothing(pages, entries, (from / pageBytes) * entryBytes);
  const present: { from: number; to: number }[] = [];
  for (let entry = 0; entry < length; entry += entryBytes) {
    if (((entries[entry + entryBytes - 1] ?? 0) & 0xc0) === 0) continue;
    const at = from + (entry / entryBytes) * pageBytes;
    const last = present.at(-1);
    if (last?.to === at) last.to = at + pageBytes;
    else present.push({ from: at, to: at + pageBytes });
  }
  return present;
}

// A region may go while it is read.
function readOrNothing(memory: number, bytes: Buffer, at: number): number {
  try {
    return readSync(memory, bytes, 0, bytes.length, at);
  } catch {
    return 0;
  }
}

// Only pages that the process changed: the program's own file holds nothing of ours.
function changedRegions(pid: number, shared: Set<string>): Region[] {
  const regions: Region[] = [];
  let current: Region | undefined;
  for (const line of readFileSync(`/proc/${pid}/smaps`, "utf8").split("\n")) {
    if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) current = regionOf(line, shared);
    const [, dirty = "0"] = /^(?:Private_Dirty|Shared_Dirty|Swap): +([0-9]+) kB/.exec(line) ?? [];
    if (!current || dirty === "0") continue;
    regions.push(current);
    current = undefined;
  }
  return regions;
}

function regionOf(line: string, shared: Set<string>): Region | undefined {
  const [range = "", modes = "", ...file] = line.split(" ");
  const [from = "", to = ""] = range.split("-");
  if (!modes.startsWith("r")) return undefined;
  if (modes.endsWith("s")) {
    const region = file.join(" ");
    if (shared.has(region)) return undefined;
    shared.add(region);
  }
  return { from: Number.parseInt(from, 16), to: Number.parseInt(to, 16) };
}
