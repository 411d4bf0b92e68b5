import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { once } from "node:events";
import type { OutgoingHttpHeaders } from "node:http";
import type { Identity } from "@sallyport/client/reading";
import {
  type Signer,
  createSignedTransport,
  createSigner,
  pinned,
  toSallyportError,
} from "@sallyport/client";
import { userAgent } from "../session.ts";
import { type Answer, type ToolRequest, collect, maxAnswerBytes } from "./exchange.ts";
import { ProxyRefusal } from "./refusal.ts";
import { verifyForTool } from "./verify.ts";

/** Signs requests of tools and takes them to the gateway. */
export type Upstream = {
  forward(request: ToolRequest, body: Buffer): Promise<Answer>;
  readonly close: () => void;
};

const passedOn = ["connect-protocol-version", "connect-timeout-ms", "grpc-timeout", "te"] as const;
const hopByHop = new Set(["connection", "keep-alive", "transfer-encoding", "date", "content-length"]);
const answerMs = 15_000;

/** Opens the way to the gateway of an identity. The connection is made when it is needed, and again when it was lost. */
export function openUpstream(identity: Identity, now: () => number): Upstream {
  const signer = createSigner(Buffer.from(identity.seed, "base64"), identity.keyId, now);
  const { keeper, close } = createSignedTransport(pinned(identity), signer);
  const url = new URL(identity.url);
  let session: ClientHttp2Session | undefined;
  const connected = (): ClientHttp2Session => {
    if (session && !session.closed && !session.destroyed) return session;
    session = connect(url, identity.ca === undefined ? {} : { ca: identity.ca });
    session.on("error", () => undefined); // Each request hears of it by itself.
    session.unref();
    return session;
  };
  return {
    async forward(request, body) {
      await keeper.current().catch((error: unknown) => {
        throw new ProxyRefusal("unavailable", toSallyportError(error).message);
      });
      const { headers, requestDigest } = signedHeaders(request, body, url, signer);
      const stream = connected().request(headers, { signal: AbortSignal.timeout(answerMs) });
      try {
        stream.end(body);
        const answer = await answerOf(stream);
        await verifyForTool(answer, { path: request.path, requestDigest }, keeper);
        return answer;
      } catch (error) {
        if (error instanceof ProxyRefusal) throw error;
        throw new ProxyRefusal("unavailable", `the gateway at ${url.host} did not answer`);
      } finally {
        stream.destroy();
      }
    },
    close() {
      session?.destroy();
      close();
    },
  };
}

// What a tool sends of its own is left behind, save what says how to answer it: nothing else is signed or needed.
function signedHeaders(
  { path, headers }: ToolRequest,
  body: Buffer,
  url: URL,
  signer: Signer,
): { readonly headers: OutgoingHttpHeaders; readonly requestDigest: Uint8Array } {
  const contentType = headers["content-type"] ?? "";
  const kept = passedOn.flatMap((name) =>
    headers[name] === undefined ? [] : [[name, headers[name]] as const],
  );
  const signed = signer.sign({ authority: url.host, path, contentType }, body);
  const sent = {
    ":method": "POST",
    ":path": path,
    "content-type": contentType,
    "user-agent": `${userAgent} proxy`,
    ...Object.fromEntries(kept),
    ...signed.headers,
  };
  return { headers: sent, requestDigest: signed.requestDigest };
}

async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  const trailers: OutgoingHttpHeaders = {};
  stream.on("trailers", (given: OutgoingHttpHeaders) => Object.assign(trailers, withoutPseudo(given)));
  const [head] = (await once(stream, "response")) as [OutgoingHttpHeaders];
  const body = await collect(stream, maxAnswerBytes);
  if (!body) throw new ProxyRefusal("resource_exhausted", "the answer is larger than one may be");
  return { status: Number(head[":status"]), headers: withoutPseudo(head), body, trailers };
}

function withoutPseudo(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  const entries = Object.entries(headers).filter(([name]) => !name.startsWith(":") && !hopByHop.has(name));
  return Object.fromEntries(entries);
}
