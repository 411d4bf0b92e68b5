import { type DescMessage, type MessageShape, fromBinary } from "@bufbuild/protobuf";
import { FormatError } from "./format-error.ts";
import { hasUnknownFields } from "./unknown-fields.ts";

/**
 * Decodes binary protobuf and refuses fields that the contract does not know, at any depth (SIGNING
 * §5.4). Throws FormatError.
 */
export function fromStrictBinary<D extends DescMessage>(
  schema: D,
  bytes: Uint8Array,
): MessageShape<D> {
  const message = decode(schema, bytes);
  if (hasUnknownFields(schema, message)) throw new FormatError("the message has unknown fields");
  return message;
}

// The decoder's own messages quote its input, so they are not passed on.
function decode<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> {
  try {
    return fromBinary(schema, bytes);
  } catch {
    throw new FormatError("the message is malformed");
  }
}
