import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";

const controls = /\p{Cc}/u;

/**
 * Refuses free text with control characters: a database cannot store all of them, and a terminal
 * obeys some. Throws Failure FIELD_INVALID.
 */
export function checkPrintable(field: string, text: string): void {
  if (controls.test(text))
    throw fail(Reason.FIELD_INVALID, { field, description: "must not hold control characters" });
}
