import {
  type ClientKind,
  type EndState,
  type History,
  clientKinds,
  requestsOf,
} from "./history.ts";

/** One claim over a whole history; returns a sentence for each time that it did not hold. */
export type Check = (history: History, end: EndState) => string[];

/**
 * What each kind of client may be told while faults last; anything else would be a fault told as a
 * verdict.
 */
const mayBeTold: Readonly<Record<ClientKind, ReadonlySet<string>>> = {
  read: new Set(["DEPENDENCY_UNAVAILABLE", "RATE_LIMITED", "CLOCK_SKEW"]),
  write: new Set(["DEPENDENCY_UNAVAILABLE", "RATE_LIMITED", "CLOCK_SKEW", "VERSION_CONFLICT"]),
  enroll: new Set(["DEPENDENCY_UNAVAILABLE", "RATE_LIMITED", "CLOCK_SKEW", "TOKEN_EXHAUSTED"]),
  replay: new Set([
    "DEPENDENCY_UNAVAILABLE",
    "RATE_LIMITED",
    "CLOCK_SKEW",
    "REQUEST_REJECTED",
    "VERSION_CONFLICT",
  ]),
};
/**
 * What a client may be told besides while processes disagree about the time: the gateway lets in
 * what its owner refuses, and says that something went wrong on our side. Such a request may still
 * be under way a second after the clocks are right.
 */
const withWrongClocks: ReadonlySet<string> = new Set(["INTERNAL", "REQUEST_REJECTED"]);
const afterwardsMs = 1_000;
const waits: ReadonlySet<string> = new Set(["DEPENDENCY_UNAVAILABLE", "RATE_LIMITED"]);

/** Every value that was received has the committed record of its very read. */
export const valuesAreRecorded: Check = ({ reads }, { log }) => {
  const recorded = new Set(
    log
      .filter(({ action }) => action === "secret.read")
      .map((row) => `${row.digest} ${row.machineId} ${row.secretId} ${row.version}`),
  );
  return reads.flatMap(({ machineId, digest, answer }) =>
    (answer.kind === "done" ? answer.value : [])
      .filter(
        ({ secretId, version }) => !recorded.has(`${digest} ${machineId} ${secretId} ${version}`),
      )
      .map(
        ({ secretId, version }) =>
          `${machineId} received ${secretId} version ${version} without a record`,
      ),
  );
};

/** Every value that was received is one that was written to that version. */
export const valuesAreTrue: Check = ({ reads, writes }) => {
  const written = new Set(writes.map(keyOf));
  return reads.flatMap(({ answer }) =>
    (answer.kind === "done" ? answer.value : [])
      .filter((received) => !written.has(keyOf(received)))
      .map(
        ({ secretId, version }) =>
          `${secretId} version ${version} came with a value that nobody wrote`,
      ),
  );
};

/** The log counts from 1 without a gap, and no event is in it twice. */
export const logIsWhole: Check = (_, { log }) => {
  const gaps = log.flatMap(({ seq }, index) =>
    seq === index + 1 ? [] : [`place ${index + 1} of the log has seq ${seq}`],
  );
  return [
    ...gaps.slice(0, 5),
    ...repeated(log.map(({ eventId }) => eventId)).map((id) => `${id} is in the log twice`),
  ];
};

/**
 * No signed request is accepted twice, by any sign: answers, or what the log says was done for it.
 */
export const requestsOnce: Check = ({ reads, writes, replays }, { log }) => {
  const accepted = [...reads, ...writes, ...replays].flatMap(({ digest, answer }) =>
    answer.kind === "done" ? [digest] : [],
  );
  const done = log.flatMap(({ action, digest, secretId }) =>
    action === "secret.read" || action === "secret.version.added"
      ? [`${action} ${secretId} for ${digest}`]
      : [],
  );
  return [
    ...repeated(accepted).map((digest) => `request ${digest} was accepted twice`),
    ...repeated(done).map((what) => `recorded twice: ${what}`),
  ];
};

/**
 * No token makes more machines than it may, its count is that of its machines, and a key has one
 * machine.
 */
export const tokensWithinCount: Check = ({ enrollments }, { tokens, machines }) => {
  const counts = tokens.flatMap(({ tokenId, uses, maxUses }) => {
    const made = machines.filter((machine) => machine.tokenId === tokenId).length;
    return [
      ...(uses > maxUses || made > maxUses
        ? [`${tokenId} made ${made} machines of ${maxUses}`]
        : []),
      ...(uses === made ? [] : [`${tokenId} counts ${uses} uses and made ${made} machines`]),
    ];
  });
  const owners = new Map(
    machines.map(({ machineId, tokenId, key }) => [key, `${machineId} of ${tokenId}`]),
  );
  const strangers = enrollments.flatMap(({ tokenId, key, answer }) =>
    answer.kind === "done" && owners.get(key) !== `${answer.value.machineId} of ${tokenId}`
      ? [`${answer.value.machineId} was told of, and is not the machine of its key`]
      : [],
  );
  return [
    ...counts,
    ...repeated(machines.map(({ key }) => key)).map(() => "a key has two machines"),
    ...strangers,
  ];
};

/** Every write that was acknowledged is there, opens to the value written, and is on record. */
export const writesAreKept: Check = ({ writes }, { versions, log }) => {
  const kept = new Set(versions.map(keyOf));
  const recorded = new Set(
    log
      .filter(({ action }) => action === "secret.version.added")
      .map((row) => `${row.secretId} ${row.version}`),
  );
  const acknowledged = writes.filter(({ answer }) => answer.kind === "done");
  return [
    ...acknowledged
      .filter((write) => !kept.has(keyOf(write)))
      .map(
        ({ secretId, version }) => `${secretId} version ${version} was acknowledged and is lost`,
      ),
    ...versions
      .filter(({ secretId, version }) => version > 1 && !recorded.has(`${secretId} ${version}`))
      .map(({ secretId, version }) => `${secretId} version ${version} has no record`),
    ...repeated(acknowledged.map(({ secretId, version }) => `${secretId} version ${version}`)).map(
      (what) => `${what} was acknowledged twice`,
    ),
  ];
};

/** Every machine and every change reached the log: nothing waits, nothing was refused by it. */
export const changesAreRecorded: Check = (_, { machines, undelivered, log }) => {
  const enrolled = new Set(
    log.filter(({ action }) => action === "machine.enrolled").map((row) => row.machineId),
  );
  return [
    ...Object.entries(undelivered).flatMap(([name, count]) =>
      count === 0 ? [] : [`${name} has ${count} events that the log did not take`],
    ),
    ...machines
      .filter(({ machineId, active }) => active && !enrolled.has(machineId))
      .map((made) => `${made.machineId} has no record`),
  ];
};

/**
 * Every refusal has a public reason that its client may be told, and a delay where waiting helps.
 */
export const refusalsArePublic: Check = (history) =>
  clientKinds.flatMap((kind) => {
    const found = requestsOf(history, kind).flatMap(({ answer, startedMs, endedMs }) => {
      if (answer.kind !== "refused") return [];
      const { reason, retryAfterMs, message = "" } = answer;
      const when = `(sent at ${Math.round(startedMs)}, answered at ${Math.round(endedMs)}: ${message})`;
      const wrongClock = history.wrongClocks.some(
        (fault) => startedMs <= fault.endedMs + afterwardsMs && endedMs >= fault.beganMs,
      );
      const may = mayBeTold[kind].has(reason) || (wrongClock && withWrongClocks.has(reason));
      if (!may) return [`${kind} was told ${reason} ${when}`];
      if (waits.has(reason) && retryAfterMs === undefined)
        return [`${kind} was told ${reason} without a delay`];
      return [];
    });
    return [...new Set(found)];
  });

/** Every check, by the claim that it holds up. */
export const checks: Readonly<Record<string, Check>> = {
  "values received are on record": valuesAreRecorded,
  "values received were written": valuesAreTrue,
  "the log has no gap and no duplicate": logIsWhole,
  "no request is accepted twice": requestsOnce,
  "no token is used beyond its count": tokensWithinCount,
  "no acknowledged write is lost": writesAreKept,
  "no change is without its record": changesAreRecorded,
  "every refusal is public": refusalsArePublic,
};

function keyOf({
  secretId,
  version,
  value,
}: {
  secretId: string;
  version: number;
  value: string;
}): string {
  return `${secretId} ${version} ${value}`;
}

function repeated(items: readonly string[]): string[] {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const item of items) (seen.has(item) ? twice : seen).add(item);
  return [...twice];
}
