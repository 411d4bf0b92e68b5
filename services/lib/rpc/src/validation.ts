import { type DescMessage, type DescService, type MessageShape, create } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { violationOf } from "@sallyport/proto/verifying";
import { fail } from "./failure.ts";

/**
 * An interceptor that checks every request message against the bounds of its contract before the
 * handler sees it; a violation is FIELD_INVALID with field and description. Rules of all given
 * services are compiled now, not on the first call.
 */
export function createValidation(services: readonly DescService[]): Interceptor {
  for (const { methods } of services)
    for (const { input } of methods) violationOf(input, create(input));
  return (next) => (request) => {
    if (request.stream)
      return next({
        ...request,
        message: checkEach(request.method.input, request.message),
      });
    check(request.method.input, request.message);
    return next(request);
  };
}

async function* checkEach<D extends DescMessage>(
  schema: D,
  messages: AsyncIterable<MessageShape<D>>,
): AsyncGenerator<MessageShape<D>> {
  for await (const message of messages) {
    check(schema, message);
    yield message;
  }
}

function check<D extends DescMessage>(schema: D, message: MessageShape<D>): void {
  const violation = violationOf(schema, message);
  if (violation) throw fail(Reason.FIELD_INVALID, violation);
}
