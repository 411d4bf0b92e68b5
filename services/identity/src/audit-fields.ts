import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { type Reason, ReasonSchema } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { enumName } from "@sallyport/proto/names";

export { actorOf, originOf, principalOf as signerOf } from "@sallyport/forward";

/** The fields of a record of what identity does on its own. */
export function ownOrigin(nowMs: number) {
  return { actorKind: ActorKind.SERVICE, actorId: "identity", time: timestampFromMs(nowMs) };
}

/** A reason as records name it. */
export function reasonText(reason: Reason): string {
  return enumName(ReasonSchema, reason);
}
