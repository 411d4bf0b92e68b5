import type { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import type { KeyService } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import type { Callers } from "@sallyport/rpc";

/** Who may ask whose key a keyid is, and say that it was used. */
export const keyCallers: Callers<typeof KeyService> = {
  resolveKeys: ["gateway"],
  watchRevocations: ["gateway"],
  reportSightings: ["gateway"],
};

/** Who may hand over public requests. */
export const forwardCallers: Callers<typeof ForwardService> = { forward: ["gateway"] };
