import type { AppendService } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import type { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import type { Callers } from "@sallyport/rpc";

/** Who may report events. What each may report is in the catalogue. */
export const appendCallers: Callers<typeof AppendService> = {
  append: ["gateway", "identity", "policy", "secrets", "crypto"],
};

/** Who may hand over public requests. */
export const forwardCallers: Callers<typeof ForwardService> = { forward: ["gateway"] };
