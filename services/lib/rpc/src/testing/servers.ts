import type { Client, Transport } from "@connectrpc/connect";
import { createClient } from "@connectrpc/connect";
import { KeyService } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { createLogger } from "@sallyport/telemetry";
import type { Callers, PeerConnection, ServeOptions, TlsFiles } from "../index.ts";
import { connectPeer, route, serve } from "../index.ts";

/** Where test certificates come from. */
export type Pki = { readonly trustDomain: string; tls(peer: string): TlsFiles };

type Handlers = Parameters<typeof route<typeof KeyService>>[2];

/** A key service for tests of what surrounds a handler. */
export type TestServer = {
  readonly url: string;
  /** Lines that it logged so far. */
  readonly logged: Record<string, unknown>[];
  /** Connects as a process, to "identity" unless told otherwise. */
  connect(as: TlsFiles, expected?: Partial<Parameters<typeof connectPeer>[0]>): PeerConnection;
} & AsyncDisposable;

/** A request that keeps to its bounds. */
export const goodRequest = { keyIds: ["mch_00000000000000000000"] };

const quiet: Handlers = {
  resolveKeys: () => ({}),
  watchRevocations: () => (async function* () {})(),
  reportSightings: () => ({}),
};

const gatewayOnly: Callers<typeof KeyService> = {
  resolveKeys: ["gateway"],
  watchRevocations: ["gateway"],
  reportSightings: ["gateway"],
};

/** Serves KeyService as identity; only the gateway may call, unless told otherwise. */
export async function startTestServer(
  pki: Pki,
  handlers: Partial<Handlers> = {},
  options: Partial<ServeOptions> & { callers?: Callers<typeof KeyService> } = {},
): Promise<TestServer> {
  const logged: Record<string, unknown>[] = [];
  const stream = {
    write: (line: string) => void logged.push(JSON.parse(line) as Record<string, unknown>),
  };
  const { callers = gatewayOnly, ...rest } = options;
  const server = await serve({
    self: "identity",
    listen: { host: "127.0.0.1", port: 0 },
    tls: pki.tls("identity"),
    trustDomain: pki.trustDomain,
    routes: [route(KeyService, callers, { ...quiet, ...handlers })],
    dependencies: {},
    logger: createLogger({ service: "identity", level: "debug", stream }),
    ...rest,
  });
  const url = `https://localhost:${server.port}`;
  return {
    url,
    logged,
    connect: (tls, expected) =>
      connectPeer({ peer: "identity", url, tls, trustDomain: pki.trustDomain, ...expected }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** A client of the key service. */
export function keys(transport: Transport): Client<typeof KeyService> {
  return createClient(KeyService, transport);
}
