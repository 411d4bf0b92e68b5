import type { AppendService } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import type { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import type { Callers } from "@sallyport/rpc";

/** Callers that report events; the catalogue has the events of each. */
export const appendCallers: Callers<typeof AppendService> = {
  append: ["gateway", "identity", "policy", "secrets", "crypto"],
};

/** Callers that forward public requests. */
export const forwardCallers: Callers<typeof ForwardService> = { forward: ["gateway"] };
