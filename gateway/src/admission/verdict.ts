import { type ContextValues, createContextKey, createContextValues } from "@connectrpc/connect";
import type { ConcurrencySlot } from "../limits/concurrency-limiter.ts";
import type { VerifiedRequest } from "../verification/checklist.ts";

/**
 * A call before anything is checked: its id, when it arrived (performance.now) and its time limit,
 * in milliseconds.
 */
export type Call = {
  readonly requestId: string;
  readonly arrivedMs: number;
  readonly timeoutMs: number;
};

/**
 * The outcome of authentication: a verified request, or the error with which the router must
 * refuse. A verified request runs in its concurrency slot; the owner of the verdict disposes of
 * `held`, which gives back the slot and the memory of the content once that run is over.
 */
export type Verdict = Call &
  (
    | {
        readonly kind: "verified";
        readonly request: VerifiedRequest;
        readonly slot: Pick<ConcurrencySlot, "run">;
        readonly held: AsyncDisposable;
      }
    | {
        readonly kind: "refused";
        readonly error: unknown;
        readonly principalId: string | undefined;
      }
  );

// A handler that is reached without a verdict refuses.
const none: Verdict = {
  requestId: "",
  arrivedMs: 0,
  timeoutMs: 0,
  kind: "refused",
  error: new Error("no verdict was given"),
  principalId: undefined,
};
const key = createContextKey<Verdict>(none, { description: "the verdict of authentication" });

/** Context values that carry the verdict to the router. */
export function verdictValues(verdict: Verdict): ContextValues {
  return createContextValues().set(key, verdict);
}

/** The verdict that came with a request; a refusal when there is none. */
export function verdictOf(values: Pick<ContextValues, "get">): Verdict {
  return values.get(key);
}
