import type { Setting } from "@sallyport/config";
import { parseRange } from "@sallyport/proto/address";

/**
 * A comma-separated list of addresses and networks in CIDR notation; those of a whole family are
 * refused.
 */
export function addressRanges(variable: string): Setting<readonly string[]> {
  return {
    variable,
    read(value) {
      const ranges = value.split(",").map((range) => range.trim());
      const wrong = ranges.find((range) => !isRange(range));
      if (wrong !== undefined)
        throw new Error(`has "${wrong}", which is no address or network in CIDR notation`);
      return ranges;
    },
    absent: { value: [] },
  };
}

// Security: /0 would let anybody say where a connection comes from.
function isRange(text: string): boolean {
  const range = parseRange(text);
  return range !== undefined && range.bits > 0;
}
