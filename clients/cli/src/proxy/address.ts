import { UsageError } from "../failure.ts";

/** Where the proxy listens: a port of this computer alone (0 takes a free one), or a socket in a file. */
export type ListenAddress =
  | { readonly kind: "port"; readonly host: string; readonly port: number }
  | { readonly kind: "socket"; readonly path: string };

const loopback = new Set(["127.0.0.1", "localhost", "[::1]"]);

/** Reads HOST:PORT of a loopback host, or unix:PATH. Throws UsageError: nothing else is listened on. */
export function parseListen(text: string): ListenAddress {
  const path = /^unix:(.+)$/.exec(text)?.[1];
  if (path !== undefined) return { kind: "socket", path };
  const [, host = "", port = ""] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  if (!loopback.has(host) || Number(port) > 65_535)
    throw new UsageError(
      `--listen takes a port of this computer or a socket, not "${text}"`,
      "write 127.0.0.1:0, 127.0.0.1:8088 or unix:/path/to.sock",
    );
  return { kind: "port", host: host === "[::1]" ? "::1" : host, port: Number(port) };
}
