import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { PrincipalKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";

/** The actor in a record: a user, a machine, or unknown. */
export function actorOf(
  principal: { readonly id: string; readonly kind: PrincipalKind } | undefined,
) {
  if (principal === undefined) return { actorKind: ActorKind.UNKNOWN, actorId: "", machineId: "" };
  const { id, kind } = principal;
  if (kind === PrincipalKind.MACHINE)
    return { actorKind: ActorKind.MACHINE, actorId: id, machineId: id };
  return { actorKind: ActorKind.USER, actorId: id, machineId: "" };
}
