import type { SignedHead } from "@sallyport/evidence";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import * as verifying from "@sallyport/proto/verifying";
import { fail } from "@sallyport/rpc";

export type { RequestHead } from "@sallyport/proto/verifying";

/**
 * Reads a head as `proto/verifying` does. REQUEST_REJECTED without exactly one signature,
 * FIELD_INVALID naming anything else.
 */
export function readSignedHead(head: verifying.RequestHead): SignedHead {
  return asFailure(() => verifying.readSignedHead(head));
}

/**
 * Refuses gRPC content that is not exactly one uncompressed frame (SIGNING §5.3) as FIELD_INVALID.
 */
export function checkFrame(contentType: string, body: Uint8Array): void {
  asFailure(() => verifying.checkFrame(contentType, body));
}

function asFailure<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof verifying.UnsignedError) throw fail(Reason.REQUEST_REJECTED, {}, error);
    if (!(error instanceof verifying.HeadError)) throw error;
    throw fail(Reason.FIELD_INVALID, { field: error.field, description: error.message });
  }
}
