import type { ClientHttp2Session } from "node:http2";
import { type TLSSocket, connect } from "node:tls";
import type { Identity } from "@sallyport/client";
import { type Answer, connectFrom, exchange } from "../../infra/index.ts";
import { type Ground, signerOf } from "./ground.ts";

/** What a request is made of before it is sent. */
export type Wanted = {
  readonly path?: string;
  readonly contentType?: string;
  readonly body?: Uint8Array;
  /** How far the signer's clock is ahead. */
  readonly aheadMs?: number;
};
/** A request as the machine signs it: in order, names in lower case, without the authority. */
export type Signed = {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};
/** An answer; the status is 0 when the stream ended without one. */
export type Told = Pick<Answer, "status" | "text" | "grpcStatus">;

/** Attackers come from another address of this machine, so that their limits are their own. */
export const attackerAddress = process.platform === "linux" ? "127.0.0.66" : "127.0.0.1";
/** The read of all that is granted. */
export const readPath = "/sallyport.gateway.v1.ReadService/ReadSecrets";
/** What the machine is asks nothing and changes nothing. */
export const whoAmIPath = "/sallyport.identity.v1.UserService/WhoAmI";

/** Signs a request properly. */
export function signed(
  { machine, authority }: Ground,
  wanted: Wanted = {},
  by: Identity = machine,
): Signed {
  const { path = whoAmIPath, contentType = "application/json", body = Buffer.from("{}") } = wanted;
  const { headers } = signerOf(by, wanted.aheadMs).sign({ authority, path, contentType }, body);
  return { path, headers: { "content-type": contentType, ...headers }, body };
}

/** A TLS connection to a gateway, byte by byte. */
export type Wire = {
  readonly socket: TLSSocket;
  /** Everything that came, as latin1. */
  received(): string;
  /**
   * Resolves with what came when the gateway has ended the connection; rejects after so many
   * milliseconds.
   */
  ended(withinMs: number): Promise<string>;
  /** Resolves once what came holds the text; rejects after 5 seconds, or so many milliseconds. */
  until(text: string, withinMs?: number): Promise<string>;
};

/** Opens one that speaks the protocol. */
export async function openWire(
  { ports, ca }: Ground,
  protocol: "h2" | "http/1.1",
  replica: 0 | 1 = 0,
): Promise<Wire> {
  const host = { host: "127.0.0.1", port: ports[replica], localAddress: attackerAddress };
  const socket = connect({ ...host, servername: "localhost", ca, ALPNProtocols: [protocol] });
  socket.setEncoding("latin1");
  let text = "";
  socket.on("data", (chunk: string) => (text += chunk));
  socket.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => {
    socket.once("close", () => resolve());
    socket.once("end", () => resolve());
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("secureConnect", () => resolve());
    socket.once("error", reject);
  });
  return {
    socket,
    received: () => text,
    async ended(withinMs) {
      await withDeadline(
        closed,
        withinMs,
        () => `not ended after ${withinMs} ms: ${text.slice(-300)}`,
      );
      socket.destroy();
      return text;
    },
    async until(wanted, withinMs = 5000) {
      const found = new Promise<void>((resolve) => {
        const look = () => void (text.includes(wanted) && resolve());
        socket.on("data", look);
        look();
      });
      await withDeadline(found, withinMs, () => `no ${wanted} in ${text.slice(0, 300)}`);
      return text;
    },
  };
}

/** Opens an ordinary HTTP/2 session from the attacker's address. */
export function openSession(
  { ports, ca, authority }: Ground,
  replica: 0 | 1 = 0,
): ClientHttp2Session {
  const session = connectFrom(attackerAddress, { url: `https://${authority}`, ca }, ports[replica]);
  return session.on("error", () => undefined);
}

/** Sends over a session, headers as they are given; never rejects. */
export function send(...request: Parameters<typeof exchange>): Promise<Told> {
  return exchange(...request).catch(() => ({ status: 0, text: "", grpcStatus: "" }));
}

/** A request in HTTP/1.1, as text: a line, headers, content. */
export function http1(
  ground: Ground,
  request: Signed,
  change: (lines: string[]) => string[] = (lines) => lines,
) {
  const lines = [
    `POST ${request.path} HTTP/1.1`,
    `host: ${ground.authority}`,
    ...Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`),
    `content-length: ${request.body.length}`,
  ];
  return Buffer.concat([
    Buffer.from(`${change(lines).join("\r\n")}\r\n\r\n`, "latin1"),
    request.body,
  ]);
}

async function withDeadline<T>(promise: Promise<T>, ms: number, why: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(why())), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
