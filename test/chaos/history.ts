/** What came of one request, as its sender saw it. */
export type Answer<T> =
  | { readonly kind: "done"; readonly value: T }
  | {
      readonly kind: "refused";
      readonly reason: string;
      readonly retryAfterMs: number | undefined;
      readonly metadata?: Readonly<Record<string, string>>;
      readonly message?: string;
    }
  /** No answer, or one that no gateway gave: nobody knows whether it was done. */
  | { readonly kind: "unanswered"; readonly cause: string };

/** The kinds of clients; each proves that another part of the product is at work. */
export const clientKinds = ["read", "write", "enroll", "replay"] as const;
/** One of them. */
export type ClientKind = (typeof clientKinds)[number];

/** What every request has: times are of performance.now(), in milliseconds. */
type Timed = { readonly startedMs: number; readonly endedMs: number };

/** One value as a machine received it. */
export type Received = {
  readonly secretId: string;
  readonly version: number;
  readonly value: string;
};

/** A read of some secrets; the digest is that of the request that was answered. */
export type Read = Timed & {
  readonly machineId: string;
  readonly digest: string;
  readonly answer: Answer<readonly Received[]>;
};

/** A new version of a secret; `version` is the one that it would become. */
export type Write = Timed & Received & { readonly digest: string; readonly answer: Answer<null> };

/** An enrollment of one key; a retry has the same key. */
export type Enrollment = Timed & {
  readonly tokenId: string;
  readonly key: string;
  readonly answer: Answer<{ readonly machineId: string }>;
};

/** A captured request, sent once more byte for byte. */
export type Replay = Timed & {
  readonly of: "read" | "write";
  readonly digest: string;
  readonly answer: Answer<null>;
};

/** Everything that the clients did, in the order in which it ended. */
export type History = {
  readonly reads: Read[];
  readonly writes: Write[];
  readonly enrollments: Enrollment[];
  readonly replays: Replay[];
  /** While these lasted, processes disagreed about the time. */
  readonly wrongClocks: Injected[];
};

/** A fault and when it began and ended. */
export type Injected = {
  readonly name: string;
  readonly beganMs: number;
  readonly endedMs: number;
};

/** One row of the log, as far as the checks look at it. */
export type LogRow = {
  readonly seq: number;
  readonly eventId: string;
  readonly action: string;
  readonly digest: string;
  readonly secretId: string;
  readonly version: number;
  readonly machineId: string;
};

/** A machine as identity knows it; one that is not active yet has no record yet. */
export type Made = {
  readonly machineId: string;
  readonly tokenId: string;
  readonly key: string;
  readonly active: boolean;
};

/** What there is at the end, from the databases and from a machine that reads every version. */
export type EndState = {
  readonly log: readonly LogRow[];
  readonly tokens: readonly {
    readonly tokenId: string;
    readonly uses: number;
    readonly maxUses: number;
  }[];
  readonly machines: readonly Made[];
  readonly versions: readonly Received[];
  /** Events that no log took, by service. */
  readonly undelivered: Readonly<Record<string, number>>;
};

/** An empty history. */
export function createHistory(): History {
  return { reads: [], writes: [], enrollments: [], replays: [], wrongClocks: [] };
}

/** All requests of one kind. */
export function requestsOf(
  history: History,
  kind: ClientKind,
): readonly (Timed & { readonly answer: Answer<unknown> })[] {
  switch (kind) {
    case "read":
      return history.reads;
    case "write":
      return history.writes;
    case "enroll":
      return history.enrollments;
    case "replay":
      return history.replays;
    default:
      throw new Error(`no requests of ${String(kind satisfies never)}`);
  }
}

/**
 * Whether the product served a request: a replay is served by its refusal, everything else by being
 * done.
 */
export function isServed(kind: ClientKind, answer: Answer<unknown>): boolean {
  if (kind !== "replay") return answer.kind === "done";
  return answer.kind === "refused" && answer.reason === "REQUEST_REJECTED";
}
