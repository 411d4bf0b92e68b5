import { addressText, parseRange, plainRange } from "@sallyport/proto/address";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";

/**
 * Reads a filter "address" or "address/bits" that keeps its contract, into a text that Postgres
 * reads as inet. Throws Failure FIELD_INVALID for an IPv6 address of nine groups, such as
 * "1:2:3:4:5:6::7:192.0.2.0", which the contract takes.
 */
export function networkOf(filter: string): string {
  const range = parseRange(filter);
  if (!range)
    throw fail(Reason.FIELD_INVALID, {
      field: "source_cidr",
      description: "is not an address or a network",
    });
  const { bytes, bits } = plainRange(range);
  return addressText(bytes, filter.includes("/") ? bits : undefined);
}
