import type { OpenService } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import type { SealService } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/seal_pb.ts";
import type { Callers } from "@sallyport/rpc";

/** The callers that may have secrets opened. */
export const openCallers: Callers<typeof OpenService> = { open: ["gateway"] };

/** The callers that may have keys and envelopes made. */
export const sealCallers: Callers<typeof SealService> = {
  newProjectKey: ["secrets"],
  seal: ["secrets"],
  reseal: ["secrets"],
};
