import { addressText, firstOf, parseRange } from "@sallyport/proto/address";
import { UsageError } from "../app/failure.ts";

/**
 * Reads an address range, such as 10.1.0.0/16 or 2001:db8::/32; an address alone is the range of
 * that one. Throws UsageError, which names the range that was probably meant when bits behind the
 * prefix are set.
 */
export function readRange(typed: string, flag: string): string {
  const range = parseRange(typed);
  if (!range)
    throw new UsageError(
      `${flag} takes address ranges such as 10.1.0.0/16 or 2001:db8::/32, not "${typed}"`,
    );
  const { bytes, bits } = range;
  const first = addressText(firstOf(range), bits);
  if (first !== addressText(bytes, bits))
    throw new UsageError(
      `${flag} takes whole ranges: "${typed}" has bits set behind its prefix of ${bits}`,
      `probably ${first} was meant`,
    );
  return typed.includes("/") ? typed : `${typed}/${bits}`;
}
