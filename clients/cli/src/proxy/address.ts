import { UsageError } from "../app/failure.ts";

/**
 * The address of the proxy: a socket in a file, or a port of this computer alone (0 takes a free
 * one).
 */
export type ListenAddress =
  | { readonly kind: "socket"; readonly path: string }
  | { readonly kind: "port"; readonly host: string; readonly port: number };

const loopback = new Set(["127.0.0.1", "localhost", "[::1]"]);

/** Reads HOST:PORT of a loopback host. Throws UsageError: nothing else is listened on. */
export function parsePort(text: string): ListenAddress {
  const [, host = "", port = ""] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  if (!loopback.has(host) || Number(port) > 65_535)
    throw new UsageError(
      `--listen takes a port of this computer, not "${text}"`,
      "write 127.0.0.1:0 or 127.0.0.1:8088; --socket takes the path of a socket",
    );
  return { kind: "port", host: host === "[::1]" ? "::1" : host, port: Number(port) };
}
