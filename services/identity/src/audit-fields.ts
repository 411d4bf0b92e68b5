import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Principal } from "@sallyport/evidence";
import type { ForwardContext } from "@sallyport/forward";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason, ReasonSchema } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { PrincipalKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { fail } from "@sallyport/rpc";

/** The fields of a forwarded request in every record. */
export function originOf({ sourceIp, client, requestDigest }: ForwardContext, nowMs: number) {
  return { sourceIp, client, requestDigest, time: timestampFromMs(nowMs) };
}

/** The fields of a record of what identity does on its own. */
export function ownOrigin(nowMs: number) {
  return { actorKind: ActorKind.SERVICE, actorId: "identity", time: timestampFromMs(nowMs) };
}

/** The actor in a record: the signer of a request, or unknown. */
export function actorOf({ principal }: Pick<ForwardContext, "principal">) {
  if (!principal) return { actorKind: ActorKind.UNKNOWN, actorId: "" };
  const machine = principal.kind === PrincipalKind.MACHINE;
  return { actorKind: machine ? ActorKind.MACHINE : ActorKind.USER, actorId: principal.id };
}

/** A reason as records name it. */
export function reasonText(reason: Reason): string {
  return enumName(ReasonSchema, reason);
}

/**
 * The signer of a request that only enrolled callers may send. Throws Failure ROLE_REQUIRED for
 * another.
 */
export function signerOf({ principal }: Pick<ForwardContext, "principal">): Principal {
  if (!principal) throw fail(Reason.ROLE_REQUIRED);
  return principal;
}
