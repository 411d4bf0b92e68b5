import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { actorOf as actorOfPrincipal } from "@sallyport/audit-events";
import type { Principal } from "@sallyport/evidence";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { fail } from "@sallyport/rpc";
import type { ForwardContext } from "./forward-methods.ts";

/** The user who asks, with the vault and the role in it that bound what the user may touch. */
export type Caller = { readonly userId: string; readonly vaultId: string; readonly role: Role };

type Signed = Pick<ForwardContext, "principal">;

/**
 * Returns the signer of a request that only enrolled callers may send. Throws Failure ROLE_REQUIRED
 * for another.
 */
export function principalOf({ principal }: Signed): Principal {
  if (!principal) throw fail(Reason.ROLE_REQUIRED);
  return principal;
}

/**
 * Returns the user behind a forwarded request to a method that the role table opens to users alone.
 */
export function callerOf(context: Signed): Caller {
  const { id, vaultId, role } = principalOf(context);
  return { userId: id, vaultId, role };
}

/** The acting principal as records name it: the signer of a request, or somebody unknown. */
export function actorOf({ principal }: Signed) {
  const { actorKind, actorId } = actorOfPrincipal(principal);
  return { actorKind, actorId };
}

/** The fields of a record that come from the forwarded request, at a time in Unix milliseconds. */
export function originOf({ sourceIp, client, requestDigest }: ForwardContext, nowMs: number) {
  return { sourceIp, client, requestDigest, time: timestampFromMs(nowMs) };
}

/** The fields that every record of a forwarded change has. */
export function recordOf(context: ForwardContext, at: Date) {
  const { vaultId } = principalOf(context);
  return { ...actorOf(context), ...originOf(context, at.getTime()), vaultId };
}
