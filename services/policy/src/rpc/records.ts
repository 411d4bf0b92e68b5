import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ForwardContext } from "@sallyport/forward";
import type { Outbox } from "@sallyport/outbox";
import type { Tx } from "@sallyport/postgres";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import type { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";

/** Dependencies of the public methods of policy; the clock is in milliseconds. */
export type PublicParts = {
  readonly database: Tx;
  readonly outbox: Pick<Outbox, "record">;
  readonly clock: () => number;
};

/** The user who asks, with the role in the vault that bounds everything the user may touch. */
export type Caller = { readonly userId: string; readonly vaultId: string; readonly role: Role };

/**
 * Returns the user behind a forwarded request. The role table admits only users to these methods.
 */
export function callerOf({ principal }: ForwardContext): Caller {
  if (!principal) throw fail(Reason.ROLE_REQUIRED);
  return { userId: principal.id, vaultId: principal.vaultId, role: principal.role };
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
