import type { DescEnum } from "@bufbuild/protobuf";

/**
 * Returns the name of an enum value without the enum's prefix, such as "NOT_GRANTED"; "UNSPECIFIED"
 * for unknown numbers.
 */
export function enumName(schema: DescEnum, value: number): string {
  return schema.value[value]?.localName ?? "UNSPECIFIED";
}
