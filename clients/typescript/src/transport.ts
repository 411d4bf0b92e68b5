import type { Transport } from "@connectrpc/connect";
import { Http2SessionManager, createNodeHttpClient } from "@connectrpc/connect-node";
import type { UniversalClientFn } from "@connectrpc/connect/protocol";
import { createTransport as createConnect } from "@connectrpc/connect/protocol-connect";
import { createTransport as createGrpc } from "@connectrpc/connect/protocol-grpc";
import type { Signer } from "./signer.ts";

/** Where the gateway is and how to trust it. `ca` is PEM text; without it the system's roots are used. */
export type Endpoint = { readonly url: string; readonly ca?: string };

/** The local response header that carries the digest of the request as it was signed, in base64. */
export const requestDigestHeader = "sallyport-request-digest";

/** A transport whose every request is signed over the bytes it sends; nothing is ever sent twice. */
export type SignedTransport = { readonly transport: Transport; readonly close: () => void };

const maxReplyBytes = 4 * 1024 * 1024;

/** Opens a signed transport over HTTP/2 in the Connect or the gRPC protocol. */
export function createSignedTransport(
  endpoint: Endpoint,
  signer: Signer,
  protocol: "connect" | "grpc" = "connect",
): SignedTransport {
  const session = new Http2SessionManager(
    endpoint.url,
    {},
    endpoint.ca === undefined ? {} : { ca: endpoint.ca },
  );
  const send = createNodeHttpClient({ httpVersion: "2", sessionProvider: () => session });
  const options = {
    httpClient: signing(send, signer),
    baseUrl: endpoint.url,
    useBinaryFormat: true,
    interceptors: [],
    acceptCompression: [],
    sendCompression: null,
    compressMinBytes: Number.MAX_SAFE_INTEGER,
    readMaxBytes: maxReplyBytes,
    writeMaxBytes: maxReplyBytes,
  };
  const transport = protocol === "connect" ? createConnect(options) : createGrpc(options);
  return { transport, close: () => session.abort() };
}

// Signed here, where the bytes are: an interceptor sees messages, and two encodings of one message may differ.
function signing(send: UniversalClientFn, signer: Signer): UniversalClientFn {
  return async (request) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request.body ?? []) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const { host, pathname } = new URL(request.url);
    const contentType = request.header.get("content-type") ?? "";
    const signed = signer.sign({ authority: host, path: pathname, contentType }, body);
    const header = new Headers(request.header);
    for (const [name, value] of Object.entries(signed.headers)) header.set(name, value);
    const content = (async function* () {
      yield new Uint8Array(body);
    })();
    const response = await send({ ...request, header, body: content });
    // Overwrites whatever a server may have put there.
    response.header.set(requestDigestHeader, Buffer.from(signed.requestDigest).toString("base64"));
    return response;
  };
}
