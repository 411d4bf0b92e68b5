import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";

/**
 * A lifetime that the contract demands, in whole milliseconds, which is what the database keeps.
 */
export function lifetimeMs(field: string, duration: Duration | undefined): number {
  if (!duration) throw fail(Reason.FIELD_INVALID, { field, description: "is required" });
  return Math.floor(durationMs(duration));
}
