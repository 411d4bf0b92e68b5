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

/** A fault, and for each kind of client how long after its end a request was begun that was served, in milliseconds. */
export type Recovery = {
  readonly fault: Injected;
  readonly backMs: Readonly<Record<ClientKind, number | undefined>>;
};

/** How long each kind of client took to be served again after a fault; undefined where it was not. */
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
    backMs: { read: back("read"), write: back("write"), enroll: back("enroll"), replay: back("replay") },
  };
}

/** Whether every kind of client was served again. */
export function isBack({ backMs }: Recovery): boolean {
  return clientKinds.every((kind) => backMs[kind] !== undefined);
}

/** One sentence for each kind of client that was not back in time. */
export function lateRecoveries(recoveries: readonly Recovery[]): string[] {
  return recoveries.flatMap(({ fault, backMs }) =>
    clientKinds.flatMap((kind) => {
      const ms = backMs[kind];
      if (ms !== undefined && ms <= recoveryMs) return [];
      const when = ms === undefined ? "was not back" : `was back after ${Math.round(ms)} ms`;
      return [`after ${fault.name}: ${kind} ${when}`];
    }),
  );
}

/** The recoveries as a table for people. */
export function recoveryTable(recoveries: readonly Recovery[]): string {
  const cell = (ms: number | undefined): string => (ms === undefined ? "-" : `${Math.round(ms)}`).padStart(8);
  const head = ["fault".padEnd(34), "lasted".padStart(8), ...clientKinds.map((kind) => kind.padStart(8))];
  const rows = recoveries.map(({ fault, backMs }) =>
    [
      fault.name.padEnd(34),
      cell(fault.endedMs - fault.beganMs),
      ...clientKinds.map((kind) => cell(backMs[kind])),
    ].join(""),
  );
  return [
    "milliseconds until the first request was served after the fault's end",
    head.join(""),
    ...rows,
  ].join("\n");
}
