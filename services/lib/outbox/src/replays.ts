import type { Database } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { ActorKind, Outcome } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { PrincipalKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import type { Outbox } from "./outbox.ts";

/** What is told of a request that arrived a second time; the principal is absent for a key that is not enrolled. */
export type Replayed = {
  readonly principal?: { readonly id: string; readonly kind: PrincipalKind; readonly vaultId: string };
  readonly sourceIp: string;
  readonly client: string;
  readonly requestDigest: Uint8Array;
  readonly signedRequest: { readonly path: string };
};

/**
 * Puts refused replays of changes on record (mutation.replayed), each in a transaction of its own, and waits until audit
 * has them. Throws Failure DEPENDENCY_UNAVAILABLE when it could not; the event is delivered later.
 */
export function createReplayRecorder(
  emitter: "identity" | "policy" | "secrets",
  database: Pick<Database, "transaction">,
  outbox: Pick<Outbox, "record" | "drain">,
): (replayed: Replayed) => Promise<void> {
  return async ({ principal, sourceIp, client, requestDigest, signedRequest }) => {
    const machine = principal?.kind === PrincipalKind.MACHINE;
    const event = newEvent(emitter, "mutation.replayed", {
      outcome: Outcome.DENIED,
      reason: "REQUEST_REJECTED",
      actorKind: principal === undefined ? ActorKind.UNKNOWN : machine ? ActorKind.MACHINE : ActorKind.USER,
      actorId: principal?.id ?? "",
      vaultId: principal?.vaultId ?? "",
      machineId: machine ? principal.id : "",
      sourceIp,
      client,
      requestDigest,
      detail: { path: signedRequest.path },
    });
    await database.transaction((tx) => outbox.record(tx, event));
    await outbox.drain();
  };
}
