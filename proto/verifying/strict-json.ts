import { type DescMessage, type MessageShape, fromJson } from "@bufbuild/protobuf";
import { FormatError } from "../signing/index.ts";
import { hasDoublyNamedFields, hasDuplicateKeys } from "./json-keys.ts";

/**
 * Decodes JSON and refuses input that two parsers could read differently: invalid UTF-8, unknown
 * fields, repeated keys, one field under both of its names. Throws FormatError.
 */
export function fromStrictJson<D extends DescMessage>(
  schema: D,
  bytes: Uint8Array,
): MessageShape<D> {
  const text = orMalformed(() =>
    new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes),
  );
  const value: unknown = orMalformed((): unknown => JSON.parse(text));
  if (hasDuplicateKeys(text) || hasDoublyNamedFields(schema, value))
    throw new FormatError("the message gives a field twice");
  return orMalformed(() => fromJson(schema, value as Parameters<typeof fromJson>[1]));
}

// The decoders' own messages quote their input, so they are not passed on.
function orMalformed<T>(decode: () => T): T {
  try {
    return decode();
  } catch {
    throw new FormatError("the message is malformed or has unknown fields");
  }
}
