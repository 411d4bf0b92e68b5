import { type Socket, connect } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Endpoint } from "@sallyport/client";
import {
  type ForwardProxy,
  forwardProxyOf,
  hostAndPort,
  openTunnel,
  secureOver,
  transportSentence,
} from "@sallyport/client/network";
import { SallyportError, toSallyportError } from "@sallyport/client/reading";
import { isNearEnd, leftText } from "./ending.ts";
import { type Finding, bad, failed, ok, warn } from "./finding.ts";

const connectMs = 5_000;

/**
 * Checks the way to a gateway, each step after the one before: the proxy that the environment names
 * for it, if any, can be reached; the gateway can, through it; the certificate is trusted and
 * HTTP/2 spoken. Stops at the first that fails.
 */
export async function checkWay(endpoint: Endpoint, env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const findings: Finding[] = [];
  let proxy: ForwardProxy | undefined;
  let socket: Socket;
  try {
    proxy = forwardProxyOf(new URL(endpoint.url), env);
    if (proxy) findings.push(await checkProxy(proxy));
  } catch (error) {
    return [failed("proxy", error)];
  }
  if (findings.at(-1)?.status === "bad") return findings;
  const started = performance.now();
  try {
    socket = await reached(endpoint.url, proxy);
  } catch (error) {
    return [
      ...findings,
      error instanceof SallyportError ? failed("reach", error) : unreached(endpoint, error),
    ];
  }
  const took = `${Math.round(performance.now() - started)} ms`;
  findings.push(ok("reach", `${endpoint.url} in ${took}${proxy ? ", through the proxy" : ""}`));
  return [...findings, await checkTls(socket, endpoint)];
}

async function checkProxy({ url, variable }: ForwardProxy): Promise<Finding> {
  const where = `${variable} names ${url.origin}`;
  try {
    const port = url.port || (url.protocol === "https:" ? 443 : 80);
    (await connected(hostAndPort(url.href).host, Number(port))).destroy();
    return ok("proxy", `${where}, which can be reached`);
  } catch (error) {
    return bad("proxy", `${where}: ${codeOf(error)}`, `correct ${variable}, or unset it`, 6);
  }
}

function unreached({ url }: Endpoint, error: unknown): Finding {
  const fix = "check that the gateway runs, the address, and what stands between";
  return bad("reach", `${url}: ${codeOf(error)}`, fix, 6);
}

function reached(url: string, proxy: ForwardProxy | undefined): Promise<Socket> {
  if (proxy) return openTunnel(proxy, url, AbortSignal.timeout(connectMs));
  const { host, port } = hostAndPort(url);
  return connected(host, port);
}

function connected(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: connectMs });
    socket.once("connect", () => {
      socket.setTimeout(0);
      resolve(socket);
    });
    socket.once("timeout", () =>
      socket.destroy(new Error(`no answer within ${connectMs / 1000} s`)),
    );
    socket.once("error", reject);
  });
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}

function checkTls(socket: Socket, endpoint: Endpoint): Promise<Finding> {
  return new Promise((resolve) => {
    const secure = secureOver(socket, endpoint);
    const done = (finding: Finding): void => {
      clearTimeout(timer);
      resolve(finding);
      secure.destroy();
      socket.destroy();
    };
    const timer = setTimeout(
      () => done(bad("TLS", "no handshake", "check that the address is the gateway's", 6)),
      connectMs,
    );
    secure.once("secureConnect", () => done(certificateFinding(secure)));
    secure.once("error", (error) => done(failed("TLS", toSallyportError(error))));
  });
}

function certificateFinding(socket: TLSSocket): Finding {
  if (socket.alpnProtocol !== "h2") {
    const cause = "ERR_HTTP2_ERROR";
    const sentence = transportSentence(cause, "", undefined);
    return failed("TLS", new SallyportError("UNREACHABLE", sentence, { metadata: { cause } }));
  }
  const {
    valid_from: from,
    valid_to: until,
    subjectaltname: names = "",
  } = socket.getPeerCertificate();
  const life = { fromMs: Date.parse(from), untilMs: Date.parse(until) };
  const protocol = socket.getProtocol() ?? "TLS";
  const detail = `${protocol}, ${names || "no names"}, valid for ${leftText(life)}`;
  return isNearEnd(life)
    ? warn("TLS", detail, "report to the server's operator that its certificate ends soon")
    : ok("TLS", detail);
}
