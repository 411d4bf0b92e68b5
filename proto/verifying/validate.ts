import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";

/**
 * What of a message breaks its contract first: the field's path and a sentence without the value.
 */
export type FieldViolation = { readonly field: string; readonly description: string };

const validator = createValidator({ failFast: true });

/** Checks a message against the bounds of its contract; undefined when it keeps them. */
export function violationOf<D extends DescMessage>(
  schema: D,
  message: MessageShape<D>,
): FieldViolation | undefined {
  const result = validator.validate(schema, message);
  if (result.kind === "valid") return undefined;
  if (result.kind === "error") throw result.error;
  const [violation] = result.violations;
  const field = violation ? pathToString(violation.field) : "";
  return { field, description: violation?.message ?? "is not valid" };
}
