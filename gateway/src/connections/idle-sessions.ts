import type { Http2SecureServer, ServerHttp2Session } from "node:http2";

/** Idle timeouts of a session in milliseconds: before its first request, and between two. */
export type SessionTimeouts = { readonly firstMs: number; readonly nextMs: number };

/**
 * Ends HTTP/2 sessions without requests. Security: a timeout of the socket counts bytes, so a
 * client that sends a PING or half of its headers now and then would be kept forever.
 */
export function endIdleSessions(
  server: Http2SecureServer,
  { firstMs, nextMs }: SessionTimeouts,
): void {
  server.on("session", (session) => follow(session, firstMs, nextMs));
}

function follow(session: ServerHttp2Session, firstMs: number, nextMs: number): void {
  let open = 0;
  let timer = setTimeout(end, firstMs);
  function end(): void {
    session.destroy();
  }
  session.on("stream", (stream) => {
    open += 1;
    clearTimeout(timer);
    stream.once("close", () => {
      open -= 1;
      if (open === 0 && !session.destroyed) timer = setTimeout(end, nextMs);
    });
  });
  session.once("close", () => clearTimeout(timer));
}
