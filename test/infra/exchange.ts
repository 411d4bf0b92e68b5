import { type ClientHttp2Session, type IncomingHttpHeaders, connect } from "node:http2";
import { connect as connectTls } from "node:tls";

/** What a raw request was answered with. */
export type Answer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The body as text. */
  readonly text: string;
  /** gRPC's own status, wherever it stands; empty when there is none. */
  readonly grpcStatus: string;
};

/**
 * Sends just these headers and a body over a connection of HTTP/2, signed or not, by POST unless
 * they say otherwise; an array is sent as that many headers. Waits for the whole answer, as far as
 * it came; rejects when none began.
 */
export function exchange(
  session: ClientHttp2Session,
  path: string,
  headers: Readonly<Record<string, string | string[]>>,
  body: Uint8Array = new Uint8Array(),
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":method": "POST", ":path": path, ...headers });
    const chunks: Buffer[] = [];
    let head: IncomingHttpHeaders | undefined;
    let trailers: IncomingHttpHeaders = {};
    let failure = new Error("the stream was closed without an answer");
    stream
      .on("response", (received) => (head = received))
      .on("trailers", (received) => (trailers = received))
      .on("data", (chunk: Buffer) => chunks.push(chunk))
      .on("error", (error) => (failure = error))
      .once("close", () =>
        head ? resolve(answerOf(head, trailers, Buffer.concat(chunks))) : reject(failure),
      );
    if (body.length === 0) stream.end();
    else stream.end(body);
  });
}

/** The same over a connection of its own, which is closed afterwards. */
export async function exchangeOnce(
  { url, ca }: { readonly url: string; readonly ca?: string },
  ...request: Parameters<typeof exchange> extends [unknown, ...infer Rest] ? Rest : never
): Promise<Answer> {
  const session = connect(url, { ca });
  session.on("error", () => undefined); // The stream tells of it.
  try {
    return await exchange(session, ...request);
  } finally {
    session.close();
  }
}

function answerOf(
  headers: IncomingHttpHeaders,
  trailers: IncomingHttpHeaders,
  body: Buffer,
): Answer {
  const grpcStatus = String(trailers["grpc-status"] ?? headers["grpc-status"] ?? "");
  return { status: Number(headers[":status"]), headers, body, text: body.toString(), grpcStatus };
}

/** The reason that a refusal of the Connect protocol names; undefined when it names none. */
export function reasonIn(text: string): string | undefined {
  return /"reason":"([A-Z_]+)"/.exec(text)?.[1];
}

/** Connects to a gateway from an address of this machine: Linux answers for all of 127.0.0.0/8. */
export function connectFrom(
  localAddress: string,
  { url, ca }: { readonly url: string; readonly ca?: string },
  port = Number(new URL(url).port),
): ClientHttp2Session {
  const { hostname: servername } = new URL(url);
  const tls = { host: "127.0.0.1", port, localAddress, servername, ca, ALPNProtocols: ["h2"] };
  return connect(url, { createConnection: () => connectTls(tls) });
}
