import type { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import type { KeyService } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import type { Callers } from "@sallyport/rpc";

/** The callers that may look up keys and report their use. */
export const keyCallers: Callers<typeof KeyService> = {
  resolveKeys: ["gateway"],
  watchRevocations: ["gateway"],
  reportSightings: ["gateway"],
};

/** The callers that may forward public requests. */
export const forwardCallers: Callers<typeof ForwardService> = { forward: ["gateway"] };
