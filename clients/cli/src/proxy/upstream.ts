import type { OutgoingHttpHeaders } from "node:http";
import { Code } from "@connectrpc/connect";
import type { Identity } from "@sallyport/client/reading";
import {
  type Signer,
  createSignedTransport,
  createSigner,
  pinned,
  toSallyportError,
} from "@sallyport/client";
import { userAgent } from "../app/session.ts";
import { type Answer, type ToolRequest, collect, maxAnswerBytes } from "./exchange.ts";
import { ProxyRefusal, refusalOf } from "./refusal.ts";
import { verifyForTool } from "./verify.ts";

/** Signs requests of tools and takes them to the gateway. */
export type Upstream = {
  forward(request: ToolRequest, body: Buffer): Promise<Answer>;
  readonly close: () => void;
};

const passedOn = ["connect-protocol-version", "connect-timeout-ms", "grpc-timeout", "te"] as const;
const hopByHop = new Set([
  "connection",
  "keep-alive",
  "transfer-encoding",
  "date",
  "content-length",
]);

/**
 * Opens the way to the gateway of an identity. The connection is made when it is needed, and again
 * when it was lost. An answer may take `answerMs` milliseconds.
 */
export function openUpstream(
  identity: Identity,
  { now, answerMs }: { readonly now: () => number; readonly answerMs: number },
): Upstream {
  const signer = createSigner(Buffer.from(identity.seed, "base64"), identity.keyId, now);
  const { keeper, connection, close } = createSignedTransport(pinned(identity), signer);
  const url = new URL(identity.url);
  return {
    async forward(request, body) {
      await keeper.current().catch((error: unknown) => {
        throw refusalOf(toSallyportError(error));
      });
      const { header, requestDigest } = signed(request, body, url, signer);
      const sent = { method: "POST", url: url.origin + request.path, header, body: once(body) };
      try {
        const signal = AbortSignal.timeout(answerMs);
        const answer = await answerOf(await connection.send({ ...sent, signal }));
        await verifyForTool(answer, { path: request.path, requestDigest }, keeper);
        return answer;
      } catch (error) {
        if (error instanceof ProxyRefusal) throw error;
        const { message } = toSallyportError(error);
        throw new ProxyRefusal(
          Code.Unavailable,
          `the gateway at ${url.host} did not answer (${message})`,
        );
      }
    },
    close,
  };
}

// A tool's own headers are dropped, except those that determine the form of the answer: no others
// are signed or needed.
function signed(
  { path, headers }: ToolRequest,
  body: Buffer,
  url: URL,
  signer: Signer,
): { readonly header: Headers; readonly requestDigest: Uint8Array } {
  const contentType = headers["content-type"] ?? "";
  const { headers: signature, requestDigest } = signer.sign(
    { authority: url.host, path, contentType },
    body,
  );
  const header = new Headers({ "content-type": contentType, "user-agent": `${userAgent} proxy` });
  for (const name of passedOn)
    if (headers[name] !== undefined) header.set(name, String(headers[name]));
  for (const [name, value] of Object.entries(signature)) header.set(name, value);
  return { header, requestDigest };
}

type Received = {
  readonly status: number;
  readonly header: Headers;
  readonly body: AsyncIterable<Uint8Array>;
  readonly trailer: Headers;
};

async function answerOf({ status, header, body: content, trailer }: Received): Promise<Answer> {
  const body = await collect(content, maxAnswerBytes);
  if (!body) throw new ProxyRefusal(Code.ResourceExhausted, "the answer is larger than one may be");
  return { status, headers: passable(header), body, trailers: passable(trailer) };
}

function passable(headers: Headers): OutgoingHttpHeaders {
  return Object.fromEntries(
    [...headers].filter(([name]) => !name.startsWith(":") && !hopByHop.has(name)),
  );
}

async function* once(body: Uint8Array): AsyncIterable<Uint8Array> {
  yield body;
}
