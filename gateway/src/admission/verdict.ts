import { type ContextValues, createContextKey, createContextValues } from "@connectrpc/connect";
import type { Place } from "../limits/concurrency-limiter.ts";
import type { VerifiedRequest } from "../verification/checklist.ts";

/**
 * What is known of a call before anything is checked: its id, when it came (performance.now) and
 * its time, in ms.
 */
export type Call = {
  readonly requestId: string;
  readonly arrivedMs: number;
  readonly timeoutMs: number;
};

/**
 * What the front found: a verified request with its place, or the error for which the router must
 * refuse.
 */
export type Verdict = Call &
  (
    | {
        readonly kind: "verified";
        readonly request: VerifiedRequest;
        readonly place: Pick<Place, "work">;
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
const key = createContextKey<Verdict>(none, { description: "the verdict of the front" });

/** Context values that carry the verdict to the router. */
export function verdictValues(verdict: Verdict): ContextValues {
  return createContextValues().set(key, verdict);
}

/** The verdict that came with a request; a refusal when there is none. */
export function verdictOf(values: Pick<ContextValues, "get">): Verdict {
  return values.get(key);
}
