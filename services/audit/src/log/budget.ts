import { newEvent } from "@sallyport/proto/catalogue";
import type { Event } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { type Buckets, createBuckets } from "@sallyport/rate-limit";
import { type Accepted, acceptEvent } from "./accept.ts";

/** Records that all machines of one enrollment token may cause per day, by default. */
export const defaultRecordsPerDay = 200_000;

/** The fewest that may be set: a read of a hundred secrets must fit into the burst of a machine. */
export const fewestRecordsPerDay = 10_000;

/**
 * The answer of the budget: 0 or the milliseconds until there is room, and the alarms to record.
 */
export type Verdict = { readonly waitMs: number; readonly alarms: readonly Accepted[] };

/** The bound on the records that a machine, and all machines of a token together, may cause. */
export type RecordBudget = {
  /** Takes room for so many records that this event's machine causes at once; all of it or none. */
  take(event: Event, count: number): Verdict;
  /** Counts a record that is written in any case, such as a machine's enrollment. */
  charge(event: Event): void;
};

/**
 * Returns the room that a record takes, in records of the usual length: the secrets that a denial
 * lists are stored, and found, one by one.
 */
export function weightOf({ refused }: Pick<Event, "refused">): number {
  return 1 + Math.ceil(refused.length / 4);
}

type Bound = {
  readonly limited: "machine" | "token";
  readonly buckets: Buckets;
  readonly perDay: number;
  readonly nameOf: (event: Event) => string;
};

// A quarter at once, so that a pipeline that begins is not held up; the rest in the course of the
// day. Together no span of 24 hours has more than `perDay`. One machine may have half of what its
// token may: it alone cannot stop the others.
const burstShare = 1 / 4;
const machineShare = 1 / 2;
const daySeconds = 86_400;
const alarmsPerSecond = 1 / 3_600;
const nearLimit = 0.5;

/**
 * Makes the budget: `perDay` records for all machines of an enrollment token, half of that for one
 * machine. `clock` is monotonic, in milliseconds. An alarm is recorded once per hour for a machine
 * or token that used half of its burst, and of one that is refused.
 */
export function createRecordBudget(perDay: number, clock: () => number): RecordBudget {
  const bounds: readonly Bound[] = [
    boundOf("machine", perDay * machineShare, clock, ({ machineId }) => machineId),
    boundOf("token", perDay, clock, ({ originId }) => originId),
  ];
  const told = createBuckets({ perSecond: alarmsPerSecond, burst: 1 }, clock);

  function alarmsOf(event: Event, reached: (bound: Bound, name: string) => boolean, action: Alarm) {
    return bounds.flatMap((bound) => {
      const name = bound.nameOf(event);
      if (name === "" || !reached(bound, name)) return [];
      return told.take(`${action} ${name}`) === 0 ? [alarmOf(action, event, bound)] : [];
    });
  }

  return {
    take(event, count) {
      const waits = (bound: Bound, name: string): number => bound.buckets.waitMs(name, count);
      const named = bounds.filter((bound) => bound.nameOf(event) !== "");
      const waitMs = Math.max(0, ...named.map((bound) => waits(bound, bound.nameOf(event))));
      if (waitMs > 0) {
        const isFull = (bound: Bound, name: string) => waits(bound, name) > 0;
        return { waitMs, alarms: alarmsOf(event, isFull, "records.limit_reached") };
      }
      for (const bound of named) bound.buckets.charge(bound.nameOf(event), count);
      const isNear = ({ buckets }: Bound, name: string) => buckets.used(name) >= nearLimit;
      return { waitMs, alarms: alarmsOf(event, isNear, "records.limit_near") };
    },
    charge(event) {
      for (const { buckets, nameOf } of bounds)
        if (nameOf(event) !== "") buckets.charge(nameOf(event), 1);
    },
  };
}

type Alarm = "records.limit_near" | "records.limit_reached";

function boundOf(
  limited: Bound["limited"],
  perDay: number,
  clock: () => number,
  nameOf: Bound["nameOf"],
): Bound {
  const burst = Math.floor(perDay * burstShare);
  const buckets = createBuckets({ perSecond: (perDay - burst) / daySeconds, burst }, clock);
  return { limited, buckets, perDay, nameOf };
}

function alarmOf(action: Alarm, event: Event, { limited, perDay, nameOf }: Bound): Accepted {
  const alarm = newEvent("audit", action, {
    actorKind: ActorKind.SERVICE,
    actorId: "audit",
    reason: action === "records.limit_reached" ? "RATE_LIMITED" : "",
    vaultId: event.vaultId,
    machineId: event.machineId,
    subjectId: nameOf(event),
    detail: { limited, per_day: String(perDay) },
  });
  return acceptEvent(alarm, "audit");
}
