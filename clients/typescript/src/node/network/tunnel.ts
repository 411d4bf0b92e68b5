import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { type Socket, isIP } from "node:net";
import { type TLSSocket, connect as connectTls } from "node:tls";
import { SallyportError } from "../../core/sallyport-error.ts";
import type { Endpoint } from "./connection.ts";
import type { ForwardProxy } from "./forward-proxy.ts";
import { trustOf } from "./trust.ts";

/** Returns the host and port to connect to for an https address. */
export function hostAndPort(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 443) };
}

/** Opens a tunnel to a gateway through a proxy. Throws UNREACHABLE with the proxy's answer. */
export function openTunnel(
  proxy: ForwardProxy,
  url: string,
  signal?: AbortSignal,
): Promise<Socket> {
  const { host, port } = hostAndPort(url);
  const target = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
  const { authorization } = proxy;
  const options = {
    ...hostAndPort(proxy.url.href),
    port: proxy.url.port || (proxy.url.protocol === "https:" ? 443 : 80),
    method: "CONNECT",
    path: target,
    headers: { host: target, ...(authorization && { "proxy-authorization": authorization }) },
    agent: false,
    ...(signal && { signal }),
  };
  return new Promise((resolve, reject) => {
    const request =
      proxy.url.protocol === "https:"
        ? requestHttps({ ...options, ...trustOf(undefined) })
        : requestHttp(options);
    request.once("error", (error: NodeJS.ErrnoException) => reject(brokeOff(proxy, error)));
    // A server that does not know the method answers as for any other.
    request.once("response", (response) => {
      response.destroy();
      reject(refused(proxy, response));
    });
    request.once("connect", (response, socket, head: Buffer) => {
      const { statusCode = 0 } = response;
      if (statusCode < 200 || statusCode > 299) {
        socket.destroy();
        reject(refused(proxy, response));
        return;
      }
      socket.unshift(head);
      resolve(socket);
    });
    request.end();
  });
}

/** Starts TLS with a gateway in a tunnel, for HTTP/2. */
export function secureOver(socket: Socket, { url, ca }: Endpoint): TLSSocket {
  const { host } = hostAndPort(url);
  const name = isIP(host) === 0 ? { servername: host } : {};
  return connectTls({ socket, ALPNProtocols: ["h2"], ...name, ...trustOf(ca) });
}

function brokeOff({ url, variable }: ForwardProxy, error: NodeJS.ErrnoException): SallyportError {
  const isLate = error.name === "AbortError";
  const code = isLate ? "TIMEOUT" : (error.code ?? error.message);
  return new SallyportError(
    "UNREACHABLE",
    `the proxy ${url.host} (${variable}) does not answer: ${code}`,
    {
      metadata: { cause: code },
      cause: error,
    },
  );
}

const passing = new Set([502, 503, 504]);

function refused(
  { url, variable }: ForwardProxy,
  { statusCode = 0 }: IncomingMessage,
): SallyportError {
  const why = statusCode === 407 ? ": it wants a user and a password, or others" : "";
  const cause = passing.has(statusCode) ? "UNAVAILABLE" : `PROXY_${statusCode}`;
  return new SallyportError(
    "UNREACHABLE",
    `the proxy ${url.host} (${variable}) answered HTTP ${statusCode}${why}`,
    { metadata: { cause } },
  );
}
