import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";

const form = /^seq:([1-9]\d{0,17})$/;

/** Returns the token of the page after the record with that seq. It is opaque to callers and grants nothing. */
export function pageTokenOf(seq: bigint): string {
  return Buffer.from(`seq:${seq}`).toString("base64url");
}

/** Returns the seq below which the page begins. Throws Failure FIELD_INVALID for what pageTokenOf did not make. */
export function parsePageToken(token: string): bigint {
  const [, digits] = form.exec(Buffer.from(token, "base64url").toString("latin1")) ?? [];
  const seq = digits === undefined ? undefined : BigInt(digits);
  if (seq === undefined || pageTokenOf(seq) !== token)
    throw fail(Reason.FIELD_INVALID, { field: "page_token", description: "is not a token of this list" });
  return seq;
}
