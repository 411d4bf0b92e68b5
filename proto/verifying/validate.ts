import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";

/**
 * The first violation of a message's contract: the field's path and a sentence without the value.
 */
export type FieldViolation = { readonly field: string; readonly description: string };

const validator = createValidator({ failFast: true });

/** Checks a message against the bounds of its contract; undefined when it is within them. */
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
