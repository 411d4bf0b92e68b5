/**
 * Loaded into a process by --import before its own code: the process's dates differ from the system's by the milliseconds
 * that the file named by CHAOS_CLOCK_FILE says, read anew ten times a second. What OpenSSL, Postgres and Redis take for
 * the time stays right, and so do timers.
 */
import { readFileSync } from "node:fs";

const file = process.env["CHAOS_CLOCK_FILE"] ?? "";
let offsetMs = 0;

function follow(): void {
  try {
    offsetMs = Number(readFileSync(file, "utf8")) || 0;
  } catch {
    // It is being written: the next look finds it.
  }
}

follow();
setInterval(follow, 100).unref();

const SystemDate = Date;

globalThis.Date = new Proxy(SystemDate, {
  construct: (target, args: unknown[], newTarget) =>
    Reflect.construct(
      target,
      args.length === 0 ? [target.now() + offsetMs] : args,
      newTarget,
    ) as object,
  apply: () => new SystemDate(SystemDate.now() + offsetMs).toString(),
  get: (target, name, receiver): unknown =>
    name === "now" ? () => SystemDate.now() + offsetMs : Reflect.get(target, name, receiver),
});
