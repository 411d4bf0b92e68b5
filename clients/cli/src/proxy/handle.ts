import { type Answer, type ToolRequest, collect, maxRequestBytes } from "./exchange.ts";
import { checkRequest } from "./guard.ts";
import { ProxyRefusal, proxyCodes } from "./refusal.ts";
import { admit } from "./secret.ts";

/** What answers a tool: the names by which the proxy may be called, and the way on. */
export type Handling = {
  readonly authorities: ReadonlySet<string>;
  /** What every request has to show; undefined on a socket, which the system keeps closed. */
  readonly secret: string | undefined;
  readonly forward: (request: ToolRequest, body: Buffer) => Promise<Answer>;
};

/** Answers one request of a tool: checks it, reads it whole, has it signed and taken on. Never throws. */
export function handle(request: ToolRequest, handling: Handling): Promise<Answer> {
  return answerOf(request, handling).catch((error: unknown) =>
    refusalAnswer(
      request,
      error instanceof ProxyRefusal
        ? error
        : new ProxyRefusal("unavailable", "the request could not be handled"),
    ),
  );
}

async function answerOf(request: ToolRequest, { authorities, secret, forward }: Handling): Promise<Answer> {
  const admitted = secret === undefined ? request : admit(request, secret);
  checkRequest(admitted, authorities);
  const body = await collect(admitted.body, maxRequestBytes);
  if (!body) throw new ProxyRefusal("resource_exhausted", "a request has at most 1 MiB");
  return forward(admitted, body);
}

// In the tool's own protocol, so that it shows the sentence and not a broken answer.
function refusalAnswer({ headers }: ToolRequest, { code, message }: ProxyRefusal): Answer {
  const { http, grpc } = proxyCodes[code];
  const text = `sallyport proxy: ${message}`;
  if ((headers["content-type"] ?? "").startsWith("application/grpc")) {
    const status = { "grpc-status": String(grpc), "grpc-message": encodeURIComponent(text) };
    const type = { "content-type": "application/grpc" };
    return { status: 200, headers: { ...type, ...status }, body: new Uint8Array(), trailers: {} };
  }
  const body = Buffer.from(JSON.stringify({ code, message: text }));
  return { status: http, headers: { "content-type": "application/json" }, body, trailers: {} };
}
