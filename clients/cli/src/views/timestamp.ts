import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { momentOf } from "./moment.ts";

/** A time that is always there, in RFC 3339; 1970 should a server leave it out. */
export function iso(time: Timestamp | undefined): string {
  return momentOf(time) ?? "1970-01-01T00:00:00.000Z";
}
