import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";

/** A timestamp as JSON has it, in RFC 3339; null for none. */
export function momentOf(timestamp: Timestamp | undefined): string | null {
  return timestamp ? timestampDate(timestamp).toISOString() : null;
}
