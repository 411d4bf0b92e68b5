import {
  type ArrivedRequest,
  type ChecklistParts,
  verifyArrived,
} from "../verification/checklist.ts";
import { StepRefusal } from "../verification/step-refusal.ts";
import type { LastSeen } from "./last-seen.ts";
import type { RefusalLog } from "./refusal-log.ts";
import type { Call, Verdict } from "./verdict.ts";

/** Judges a request before the router sees it; never throws. */
export type Authenticate = (request: ArrivedRequest, path: string, call: Call) => Promise<Verdict>;

/**
 * Makes the authentication of requests: the checklist, a note of every refusal for the audit log,
 * and one of each enrolled key that was used.
 */
export function createAuthenticate(
  checklist: ChecklistParts,
  refusals: Pick<RefusalLog, "note">,
  lastSeen: Pick<LastSeen, "note">,
): Authenticate {
  return async (arrived, path, call) => {
    // Security: a refused request gives back what it took now, and not once its refusal is written:
    // a client that does not read its refusal would keep it.
    await using held = new AsyncDisposableStack();
    try {
      const { request, slot } = await verifyArrived(arrived, checklist, held);
      if (request.principal) lastSeen.note(request);
      return { ...call, kind: "verified", request, slot, held: held.move() };
    } catch (error) {
      if (!(error instanceof StepRefusal))
        return { ...call, kind: "refused", error, principalId: undefined };
      const { sourceIp, client } = arrived;
      refusals.note({ sourceIp, client, path, refusal: error });
      const principalId = error.known.claims?.principalId;
      return { ...call, kind: "refused", error: error.cause, principalId };
    }
  };
}
