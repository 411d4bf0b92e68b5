import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ForwardContext } from "@sallyport/forward";
import type { Outbox } from "@sallyport/outbox";
import type { Tx } from "@sallyport/postgres";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";
import type { Liveness } from "../directory-sync.ts";
import type { Peers } from "../peers.ts";

/** What the public methods of secrets need; the clock is in milliseconds. */
export type PublicParts = {
  readonly database: Tx;
  readonly outbox: Pick<Outbox, "record">;
  readonly peers: Pick<Peers, "directory" | "roles" | "seal">;
  readonly liveness: Pick<Liveness, "hide" | "promise" | "settle">;
  readonly clock: () => number;
};

/** The user who asks and the vault that bounds everything he may touch. */
export type Caller = { readonly userId: string; readonly vaultId: string };

/**
 * Returns the user behind a forwarded request. The role table admits only users to these methods.
 */
export function callerOf({ principal }: ForwardContext): Caller {
  if (!principal) throw fail(Reason.ROLE_REQUIRED);
  return { userId: principal.id, vaultId: principal.vaultId };
}

/** The fields that every record of a forwarded change has. */
export function recordOf(context: ForwardContext, at: Date) {
  const { userId, vaultId } = callerOf(context);
  return {
    time: timestampFromDate(at),
    actorKind: ActorKind.USER,
    actorId: userId,
    vaultId,
    sourceIp: context.sourceIp,
    client: context.client,
    requestDigest: context.requestDigest,
  };
}
