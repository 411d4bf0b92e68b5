import type { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import type { FetchService } from "@sallyport/proto/gen/sallyport/secrets/internal/v1/fetch_pb.ts";
import type { Callers } from "@sallyport/rpc";

/** The peers that may take envelopes. */
export const fetchCallers: Callers<typeof FetchService> = { fetch: ["gateway"] };

/** The peers that may forward public requests. */
export const forwardCallers: Callers<typeof ForwardService> = { forward: ["gateway"] };
