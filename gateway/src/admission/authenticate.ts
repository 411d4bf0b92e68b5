import type { Place } from "../limits/concurrency-limiter.ts";
import type { RefusalLog } from "./refusal-log.ts";
import type { Sightings } from "./last-seen.ts";
import type { Call, Verdict } from "./verdict.ts";
import {
  type ArrivedRequest,
  type ChecklistParts,
  type Progress,
  verifyArrived,
} from "../verification/checklist.ts";

/** Judges a request before the router sees it; never throws. */
export type Judge = (
  request: ArrivedRequest & { readonly place: Place },
  path: string,
  call: Call,
) => Promise<Verdict>;

/**
 * Makes the front: the checklist, a note of every refusal for the log, and one of each enrolled key
 * that was used.
 */
export function createFront(
  checklist: ChecklistParts,
  refusals: Pick<RefusalLog, "note">,
  sightings: Pick<Sightings, "note">,
): Judge {
  return async (request, path, call) => {
    const progress: Progress = {};
    try {
      const verified = await verifyArrived(request, checklist, progress);
      if (verified.principal) sightings.note(verified);
      return { ...call, kind: "verified", request: verified, place: request.place };
    } catch (error) {
      refusals.note({ sourceIp: request.sourceIp, client: request.client, path, error, progress });
      return { ...call, kind: "refused", error, principalId: progress.claims?.principalId };
    }
  };
}
