import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Failure, fail } from "@sallyport/rpc";

/** The most that a request's content may hold, in bytes. */
export const maxBodyBytes = 1024 * 1024;

/** A request's content as it streams in; trailers are known once it has ended. */
export type ContentStream = AsyncIterable<unknown> & {
  readonly headers: { readonly "content-length"?: string | undefined };
  readonly rawTrailers: readonly string[];
};

/** Memory for the contents of all open requests; strangers fill it too, so it has an end. */
export type ContentBudget = {
  /** Takes bytes; RATE_LIMITED when there are not enough. */
  take(bytes: number): void;
  give(bytes: number): void;
  /** How many are taken. */
  used(): number;
};

/** Makes a budget of so many bytes. */
export function createContentBudget(bytes: number): ContentBudget {
  let left = bytes;
  return {
    take(wanted) {
      if (wanted > left) throw new Failure(Reason.RATE_LIMITED, { retryAfterMs: 1000 });
      left -= wanted;
    },
    give(returned) {
      left += returned;
    },
    used: () => bytes - left,
  };
}

/**
 * Reads a request's content up to the limit. TOO_LARGE past it, without reading on; FIELD_INVALID when the client has
 * not sent everything after `timeoutMs`, or sends trailers. Each chunk is taken from the budget before it is kept.
 */
export async function readBody(
  stream: ContentStream,
  timeoutMs: number,
  budget: Pick<ContentBudget, "take">,
): Promise<Uint8Array> {
  refuseAbove(Number(stream.headers["content-length"] ?? 0));
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of withDeadline(stream, performance.now() + timeoutMs)) {
    if (!(chunk instanceof Uint8Array))
      throw new TypeError("the request stream gave something other than bytes");
    length += chunk.length;
    refuseAbove(length);
    budget.take(chunk.length);
    chunks.push(chunk);
  }
  if (stream.rawTrailers.length > 0)
    throw fail(Reason.FIELD_INVALID, { field: "trailer", description: "it is not accepted" });
  return Buffer.concat(chunks, length);
}

function refuseAbove(length: number): void {
  if (length > maxBodyBytes) throw fail(Reason.TOO_LARGE, { limit_bytes: String(maxBodyBytes) });
}

// Does not end the stream's own iterator: that would destroy the connection before the refusal is told.
async function* withDeadline(stream: AsyncIterable<unknown>, deadline: number): AsyncGenerator {
  const iterator = stream[Symbol.asyncIterator]();
  for (;;) {
    const { promise, reject } = Promise.withResolvers<never>();
    const description = "the content did not arrive in time";
    const timer = setTimeout(
      () => reject(fail(Reason.FIELD_INVALID, { field: "body", description })),
      deadline - performance.now(),
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
