import { availableParallelism, loadavg } from "node:os";
import {
  type ClientKind,
  type History,
  type Injected,
  clientKinds,
  isServed,
  requestsOf,
} from "./history.ts";

/** How soon everything must be back after a fault's end, in milliseconds. */
export const recoveryMs = 10_000;
/**
 * The load a core from which a time says more about what else the machine does than about the
 * product. Everything must be back then too, but not within a time.
 */
const busyLoad = 4;

/**
 * A fault, and for each kind of client how long after its end a request was begun that was served,
 * in milliseconds.
 */
export type Recovery = {
  readonly fault: Injected;
  readonly backMs: Readonly<Record<ClientKind, number | undefined>>;
  /** How many processes wanted to run in the minute before, on average. */
  readonly load: number;
};

/**
 * How long each kind of client took to be served again after a fault; undefined where it was not.
 */
export function recoveryOf(history: History, fault: Injected): Recovery {
  const back = (kind: ClientKind): number | undefined => {
    const served = requestsOf(history, kind).filter(
      ({ startedMs, answer }) => startedMs >= fault.endedMs && isServed(kind, answer),
    );
    return served.length === 0
      ? undefined
      : Math.min(...served.map(({ endedMs }) => endedMs)) - fault.endedMs;
  };
  return {
    fault,
    load: loadavg()[0] ?? 0,
    backMs: {
      read: back("read"),
      write: back("write"),
      enroll: back("enroll"),
      replay: back("replay"),
    },
  };
}

/** Whether every kind of client was served again. */
export function isBack({ backMs }: Recovery): boolean {
  return clientKinds.every((kind) => backMs[kind] !== undefined);
}

/** One sentence for each kind of client that was not back in time. */
export function lateRecoveries(recoveries: readonly Recovery[]): string[] {
  return recoveries.flatMap(({ fault, backMs, load }) =>
    clientKinds.flatMap((kind) => {
      const ms = backMs[kind];
      const busy = load > busyLoad * availableParallelism();
      if (ms !== undefined && (ms <= recoveryMs || busy)) return [];
      const when = ms === undefined ? "was not back" : `was back after ${Math.round(ms)} ms`;
      return [`after ${fault.name}: ${kind} ${when}`];
    }),
  );
}

const cell = (ms: number | undefined): string =>
  (ms === undefined ? "-" : `${Math.round(ms)}`).padStart(8);

/** What stands over the lines of a table of recoveries. */
export const recoveryHead = [
  "milliseconds until the first request was served that was begun after the fault's end; load of the last minute",
  [
    "fault".padEnd(34),
    "lasted".padStart(8),
    ...clientKinds.map((kind) => kind.padStart(8)),
    "    load",
  ].join(""),
].join("\n");

/** A recovery as a line of that table. */
export function recoveryLine({ fault, backMs, load }: Recovery): string {
  const lasted = cell(fault.endedMs - fault.beganMs);
  const back = clientKinds.map((kind) => cell(backMs[kind]));
  return [fault.name.padEnd(34), lasted, ...back, load.toFixed(1).padStart(8)].join("");
}
