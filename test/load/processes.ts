import { readFileSync, readdirSync } from "node:fs";
import { type Process, processes } from "@sallyport/deploy/local";
import type { Deployment } from "../system/deployment.ts";

const ticksPerSecond = 100;
const kibi = 1024;

/** CPU seconds that a process has used, from /proc. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/**
 * Begins to measure; the function returned gives the CPU seconds that each process has used since.
 */
export function measureCpu({ system }: Deployment): () => ReadonlyMap<Process, number> {
  const used = (name: Process): number => cpuSecondsOf(system.child(name).pid);
  const before = new Map(processes.map((name) => [name, used(name)]));
  return () => new Map(processes.map((name) => [name, used(name) - (before.get(name) ?? 0)]));
}

/** The bytes of memory that a process holds; 0 where the system does not tell. */
export function residentBytesOf(pid: number): number {
  if (process.platform !== "linux") return 0;
  const [, kibis = "0"] =
    /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kibis) * kibi;
}

/** The resources of a process: resident memory in bytes, and open descriptors. */
export type Held = { readonly residentBytes: number; readonly descriptors: number };

/** Returns the resources of each process now, from /proc. */
export function heldBy({ system }: Deployment): ReadonlyMap<Process, Held> {
  return new Map(
    processes.map((name) => {
      const { pid } = system.child(name);
      const descriptors = readdirSync(`/proc/${pid}/fd`).length;
      return [name, { residentBytes: residentBytesOf(pid), descriptors }];
    }),
  );
}
