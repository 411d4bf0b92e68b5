import { type DescMessage, type DescService, type MessageShape, create } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { type Validator, createValidator } from "@bufbuild/protovalidate";
import type { Interceptor } from "@connectrpc/connect";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "./failure.ts";

/**
 * An interceptor that checks every request message against the bounds of its contract before the
 * handler sees it; a violation is FIELD_INVALID with field and description. Rules of all given
 * services are compiled now, not on the first call.
 */
export function createValidation(services: readonly DescService[]): Interceptor {
  const validator = createValidator({ failFast: true });
  for (const { methods } of services)
    for (const { input } of methods) validator.validate(input, create(input));
  return (next) => (request) => {
    if (request.stream)
      return next({
        ...request,
        message: checkEach(validator, request.method.input, request.message),
      });
    check(validator, request.method.input, request.message);
    return next(request);
  };
}

async function* checkEach<D extends DescMessage>(
  validator: Validator,
  schema: D,
  messages: AsyncIterable<MessageShape<D>>,
): AsyncGenerator<MessageShape<D>> {
  for await (const message of messages) {
    check(validator, schema, message);
    yield message;
  }
}

function check<D extends DescMessage>(
  validator: Validator,
  schema: D,
  message: MessageShape<D>,
): void {
  const result = validator.validate(schema, message);
  if (result.kind === "valid") return;
  if (result.kind === "error") throw result.error;
  const [violation] = result.violations;
  throw fail(Reason.FIELD_INVALID, {
    field: violation ? pathToString(violation.field) : "",
    description: violation?.message ?? "is not valid",
  });
}
