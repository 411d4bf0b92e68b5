import { newEvent } from "@sallyport/proto/catalogue";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import type { PrincipalKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { actorOf } from "@sallyport/audit-events";
import type { Outbox } from "./outbox.ts";

/**
 * The record of a request that arrived a second time; the principal is absent for a key that is
 * not enrolled.
 */
export type Replayed = {
  readonly principal?: {
    readonly id: string;
    readonly kind: PrincipalKind;
    readonly vaultId: string;
  };
  readonly sourceIp: string;
  readonly client: string;
  readonly requestDigest: Uint8Array;
  readonly signedRequest: { readonly path: string };
};

type Emitter = "identity" | "policy" | "secrets";

const action = "mutation.replayed";
const reason = "REQUEST_REJECTED";

/**
 * Puts refused replays of changes on record, counted by principal and method: addresses are the
 * gateway's word, and only a gateway repeats requests. Resolves when the first of a kind is stored;
 * never rejects.
 */
export function createReplayRecorder(
  emitter: Emitter,
  outbox: Pick<Outbox, "note">,
): (replayed: Replayed) => Promise<void> {
  return (replayed) => {
    const { principal, signedRequest } = replayed;
    return outbox.note({
      group: `${action} ${principal ? "principals" : "strangers"}`,
      kind: `${principal?.id ?? ""} ${signedRequest.path}`,
      rest: principal?.vaultId ?? "",
      record: (count) => newEvent(emitter, action, { reason, ...fieldsOf(replayed, count) }),
      restRecord: (count) =>
        newEvent(emitter, action, {
          reason,
          actorKind: ActorKind.UNKNOWN,
          vaultId: principal?.vaultId ?? "",
          detail: { count: String(count) },
        }),
    });
  };
}

function fieldsOf(
  { principal, sourceIp, client, requestDigest, signedRequest }: Replayed,
  count: number,
) {
  return {
    ...actorOf(principal),
    vaultId: principal?.vaultId ?? "",
    sourceIp,
    client,
    requestDigest,
    detail: { count: String(count), path: signedRequest.path },
  };
}
