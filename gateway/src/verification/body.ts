import type { Readable } from "node:stream";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";
import type { RequestMemory } from "../limits/content-memory.ts";

/** A request's content as it streams in; trailers are known once it has ended. */
export type ContentStream = Readable & {
  readonly headers: { readonly "content-length"?: string | undefined };
  readonly rawTrailers: readonly string[];
};

/** Largest size and smallest rate of the content. */
export type ContentBounds = {
  readonly mostBytes: number;
  /** Milliseconds before the least rate counts: a lost packet or two. */
  readonly graceMs: number;
  readonly leastBytesPerSecond: number;
};

/** The bounds of a method's content: 3 seconds, and then 16 KiB each second. */
export function contentBounds(mostBytes: number): ContentBounds {
  return { mostBytes, graceMs: 3000, leastBytesPerSecond: 16 * 1024 };
}

/**
 * Reads a request's content. TOO_LARGE past the bound, before anything is read where its length is
 * said; FIELD_INVALID when it comes more slowly than it may, or with trailers. Each chunk is taken
 * from the memory before it is kept; once content is refused, nothing more of it is kept.
 */
export async function readBody(
  stream: ContentStream,
  bounds: ContentBounds,
  memory: Pick<RequestMemory, "take">,
): Promise<Uint8Array> {
  refuseAbove(bounds.mostBytes, Number(stream.headers["content-length"] ?? 0));
  const chunks: Uint8Array[] = [];
  let length = 0;
  await flow(
    stream,
    (chunk) => {
      length += chunk.length;
      refuseAbove(bounds.mostBytes, length);
      memory.take(chunk.length);
      chunks.push(chunk);
    },
    () => bounds.graceMs + (length * 1000) / bounds.leastBytesPerSecond,
  );
  if (stream.rawTrailers.length > 0)
    throw fail(Reason.FIELD_INVALID, { field: "trailer", description: "it is not accepted" });
  return Buffer.concat(chunks, length);
}

function refuseAbove(mostBytes: number, length: number): void {
  if (length > mostBytes) throw fail(Reason.TOO_LARGE, { limit_bytes: String(mostBytes) });
}

// Resolves at the end of the stream. `allowedMs` gives the time that it may have taken by now,
// which more content makes longer. The stream is left as it is: destroying it would end the
// connection before the refusal is sent.
async function flow(
  stream: Readable,
  keep: (chunk: Uint8Array) => void,
  allowedMs: () => number,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const begunMs = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const checkRate = (): void => {
    const leftMs = begunMs + allowedMs() - performance.now();
    if (leftMs > 0) timer = setTimeout(checkRate, Math.ceil(leftMs));
    else
      reject(
        fail(Reason.FIELD_INVALID, { field: "body", description: "the content comes too slowly" }),
      );
  };
  const listeners = {
    data: (chunk: Uint8Array) => {
      try {
        keep(chunk);
      } catch (error) {
        reject(error);
      }
    },
    end: resolve,
    error: reject,
    close: () => reject(new Error("the client went away")),
  };
  for (const [event, listener] of Object.entries(listeners)) stream.on(event, listener);
  checkRate();
  await promise.finally(() => {
    clearTimeout(timer);
    for (const [event, listener] of Object.entries(listeners)) stream.off(event, listener);
  });
}
