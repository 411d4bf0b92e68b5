import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";

/** A request of a tool, as far as the proxy looks at it. */
export type ToolRequest = {
  readonly method: string;
  readonly path: string;
  /** Host, or :authority of HTTP/2. */
  readonly authority: string;
  readonly httpVersion: 1 | 2;
  readonly headers: Readonly<IncomingHttpHeaders>;
  readonly body: AsyncIterable<Uint8Array>;
};

/** A whole answer. */
export type Answer = {
  readonly status: number;
  readonly headers: Readonly<OutgoingHttpHeaders>;
  readonly body: Uint8Array;
  readonly trailers: Readonly<OutgoingHttpHeaders>;
};

/** The largest answer; a gateway's has 3 MiB. */
export const maxAnswerBytes = 4 * 1024 * 1024;

/** Collects a body; undefined when it is longer than it may be. */
export async function collect(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<Buffer | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
