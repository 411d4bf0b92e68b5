import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";

/** The most that a request's content may hold, in bytes. */
export const maxBodyBytes = 1024 * 1024;

/**
 * Reads a request's content up to the limit. TOO_LARGE past it, without reading on; FIELD_INVALID when the client has
 * not sent everything after `timeoutMs`.
 */
export async function readBody(stream: AsyncIterable<unknown>, timeoutMs: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const deadline = Date.now() + timeoutMs;
  for await (const chunk of withDeadline(stream, deadline)) {
    if (!(chunk instanceof Uint8Array))
      throw new TypeError("the request stream gave something other than bytes");
    length += chunk.length;
    if (length > maxBodyBytes) throw fail(Reason.TOO_LARGE, { limit_bytes: String(maxBodyBytes) });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

async function* withDeadline(stream: AsyncIterable<unknown>, deadline: number): AsyncGenerator<unknown> {
  const iterator = stream[Symbol.asyncIterator]();
  for (;;) {
    const { promise, reject } = Promise.withResolvers<never>();
    const description = "the content did not arrive in time";
    const timer = setTimeout(
      () => reject(fail(Reason.FIELD_INVALID, { field: "body", description })),
      deadline - Date.now(),
    );
    try {
      const next = await Promise.race([iterator.next(), promise]);
      if (next.done) return;
      yield next.value;
    } finally {
      clearTimeout(timer);
    }
  }
}
