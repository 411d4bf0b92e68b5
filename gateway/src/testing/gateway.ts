import { readFileSync } from "node:fs";
import { createLogger } from "@sallyport/telemetry";
import { type GatewayConfig, type GatewayOverrides, startGateway } from "../server.ts";
import { defaultLimits } from "../limits/settings.ts";
import { type TestTrust, createTestTrust } from "./keys.ts";
import { type TestPeers, createTestPeers } from "./peers.ts";

/** The certificates that a gateway needs. */
export type TestCertificates = {
  readonly trustDomain: string;
  readonly edge: Files;
  tls(peer: string): Files;
};

type Files = { readonly certFile: string; readonly keyFile: string; readonly caFile: string };

/** A gateway on a free port of this machine, with peers that the test rules. */
export type TestGateway = {
  readonly port: number;
  readonly probePort: number | undefined;
  /** The authority in the requests of its clients. */
  readonly authority: string;
  /** PEM of the authority behind its public certificate. */
  readonly ca: string;
  readonly trust: TestTrust;
  readonly peers: TestPeers;
  /** Lines that it logged so far. */
  readonly logged: Record<string, unknown>[];
} & AsyncDisposable;

/** The options of a test; by default peers are in memory and nothing probes. */
export type TestGatewayOptions = {
  readonly certificates: TestCertificates;
  readonly redisUrl: string;
  readonly config?: Partial<GatewayConfig>;
  readonly overrides?: GatewayOverrides;
  readonly parts?: { readonly trust: TestTrust; readonly peers: TestPeers };
};

/** Starts a gateway. */
export async function startTestGateway(options: TestGatewayOptions): Promise<TestGateway> {
  const { certificates } = options;
  const trust = options.parts?.trust ?? createTestTrust();
  const peers = options.parts?.peers ?? createTestPeers(trust);
  const logged: Record<string, unknown>[] = [];
  const stream = {
    write: (line: string) => void logged.push(JSON.parse(line) as Record<string, unknown>),
  };
  const publicNames: string[] = [];
  const config = { ...configOf(options, trust), publicNames, ...options.config };
  const gateway = await startGateway(config, {
    transports: peers.transports,
    logger: createLogger({ service: "gateway", level: "debug", stream }),
    ...options.overrides,
  });
  const { port, probePort } = gateway;
  const authority = `localhost:${port}`;
  publicNames.push(authority); // Known only now.
  const ca = readFileSync(certificates.edge.caFile, "utf8");
  const stop = () => gateway[Symbol.asyncDispose]();
  return { port, probePort, authority, ca, trust, peers, logged, [Symbol.asyncDispose]: stop };
}

function configOf({ certificates, redisUrl }: TestGatewayOptions, trust: TestTrust): GatewayConfig {
  const { certFile, keyFile, caFile } = certificates.tls("gateway");
  const nowhere = "https://localhost:1";
  return {
    listen: { host: "127.0.0.1", port: 0 },
    ...defaultLimits,
    proxies: [],
    probeListen: undefined,
    trustDomain: certificates.trustDomain,
    certFile,
    keyFile,
    caFile,
    edgeCertFile: certificates.edge.certFile,
    edgeKeyFile: certificates.edge.keyFile,
    publicNames: [],
    clockWindowSeconds: 60,
    keyset: trust.keyset,
    rootFingerprint: trust.rootFingerprint,
    redisUrl,
    identityUrl: nowhere,
    policyUrl: nowhere,
    secretsUrl: nowhere,
    cryptoUrl: nowhere,
    auditUrl: nowhere,
    logLevel: undefined,
    otlpUrl: undefined,
    traceRatio: 0,
  };
}
