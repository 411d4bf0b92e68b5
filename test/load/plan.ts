/** A signer: a machine's keyid and seed (base64). */
export type Key = { readonly keyId: string; readonly seed: string };

/** So many requests a second for so long, whatever becomes of them: an open loop. */
export type Stage = { readonly perSecond: number; readonly seconds: number };

/**
 * So many at a time for so long, the next when the last is answered: a closed loop. At most
 * `perSecond` are prepared.
 */
export type Turn = {
  readonly workers: number;
  readonly seconds: number;
  readonly perSecond: number;
  /** How long a worker waits after a refusal, in milliseconds; absent, it does not. */
  readonly pauseMs?: number;
};

/** Clients of one kind: their keys and their loopback addresses, each in turn. */
export type Group = {
  readonly name: string;
  readonly keys: readonly Key[];
  readonly addresses: readonly string[];
  readonly load: readonly Stage[] | Turn;
};

/** The load that the generator sends, all groups at once. */
export type Plan = {
  readonly authority: string;
  /** PEM of the authority behind the gateway's certificate. */
  readonly ca: string;
  readonly secretIds: readonly string[];
  readonly groups: readonly Group[];
};

/** The outcome of one request: answered; refused, by its reason; or "broken" without an answer. */
export type Sample = {
  /** Milliseconds from the begin of the run to when it was due. */
  readonly dueMs: number;
  /** Milliseconds from when it was due to the end of its answer. */
  readonly tookMs: number;
  readonly outcome: "ok" | "broken" | (string & {});
  /** Whether the refusal named a delay. */
  readonly delayed: boolean;
};

/** The samples of the generator, by the group's name. */
export type Results = Readonly<Record<string, readonly Sample[]>>;

/** A message to the generator. */
export type Order = { readonly kind: "prepare"; readonly plan: Plan } | { readonly kind: "run" };

/** A message of the generator. */
export type Report =
  | { readonly kind: "prepared" }
  | { readonly kind: "done"; readonly results: Results }
  | { readonly kind: "failed"; readonly message: string };

/** Whether a load is an open loop. */
export function isOpen(load: Group["load"]): load is readonly Stage[] {
  return Array.isArray(load);
}

/** How many requests are to be prepared for a load. */
export function countOf(load: Group["load"]): number {
  const stages = isOpen(load) ? load : [load];
  return Math.ceil(stages.reduce((sum, { perSecond, seconds }) => sum + perSecond * seconds, 0));
}
