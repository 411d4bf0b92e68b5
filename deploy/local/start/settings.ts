import { join } from "node:path";
import { type Layout, type Process, processes, trustDomain } from "../data/layout.ts";

/** The name that the embedded default is called by. */
export const publicName = "localhost";

/** Addresses and settings that all processes share. */
export type Addresses = {
  readonly ports: Readonly<Record<Process, number>>;
  /**
   * The port of the gateway's health and metrics; the services have theirs on their own
   * port.
   */
  readonly probe: number;
  readonly publicName: string;
  readonly tracing: Tracing;
};

/**
 * The collector of spans and the share of requests that is traced, as in the settings; absent, the
 * processes' defaults hold.
 */
export type Tracing = {
  readonly otlpUrl?: string | undefined;
  readonly traceRatio?: string | undefined;
};

/** On which port each process shows its metrics to the operator. */
export function metricsPorts({ ports, probe }: Addresses): ReadonlyMap<Process, number> {
  return new Map(processes.map((name) => [name, name === "gateway" ? probe : ports[name]]));
}

/** The environment of a process. */
export type Settings = Readonly<Record<string, string>>;

/**
 * The environment of one process: settings by value, secrets by file, all files in its own folder.
 */
export function settingsOf(
  name: Process,
  layout: Layout,
  addresses: Addresses,
  rootFingerprint: string,
  operatorVault: string,
): Settings {
  const file = (fileName: string): string => join(layout.folder(name), fileName);
  const url = (peer: Process): string => `https://localhost:${addresses.ports[peer]}`;
  const mesh = {
    SALLYPORT_LISTEN: `127.0.0.1:${addresses.ports[name]}`,
    SALLYPORT_TRUST_DOMAIN: trustDomain,
    SALLYPORT_TLS_CERT_FILE: file(`${name}.pem`),
    SALLYPORT_TLS_KEY_FILE: file(`${name}.key`),
    SALLYPORT_CA_FILE: file("ca.pem"),
  };
  const evidence = {
    SALLYPORT_KEYSET_FILE: file("keyset.bin"),
    SALLYPORT_ROOT_FINGERPRINT: rootFingerprint,
    SALLYPORT_PUBLIC_NAMES: `${addresses.publicName}:${addresses.ports.gateway}`,
  };
  const database = { SALLYPORT_DATABASE_URL_FILE: file("database.url") };
  const answer = { SALLYPORT_ANSWER_KEY_FILE: file("answer.key") };
  const audit = { SALLYPORT_AUDIT_URL: url("audit") };
  const { otlpUrl, traceRatio } = addresses.tracing;
  const collector = otlpUrl === undefined ? {} : { SALLYPORT_OTLP_URL: otlpUrl };
  const base = { ...mesh, ...evidence, ...collector };
  switch (name) {
    case "audit":
      return {
        ...base,
        ...database,
        ...answer,
        SALLYPORT_LOG_KEY_FILE: file("log.key"),
        SALLYPORT_OPERATOR_VAULT: operatorVault,
      };
    case "crypto":
      return {
        ...base,
        ...audit,
        SALLYPORT_KEK: `file:${file("kek.key")}`,
        SALLYPORT_KEYRING_FILE: file("keyring.bin"),
      };
    case "policy":
      return {
        ...base,
        ...database,
        ...audit,
        ...answer,
        SALLYPORT_PERMIT_KEY_FILE: file("permit.key"),
      };
    case "secrets": {
      const peers = { SALLYPORT_POLICY_URL: url("policy"), SALLYPORT_CRYPTO_URL: url("crypto") };
      return {
        ...base,
        ...database,
        ...audit,
        ...answer,
        ...peers,
        SALLYPORT_SLIP_KEY_FILE: file("slip.key"),
      };
    }
    case "identity": {
      const peers = { SALLYPORT_POLICY_URL: url("policy") };
      return {
        ...base,
        ...database,
        ...audit,
        ...answer,
        ...peers,
        SALLYPORT_CREDENTIAL_KEY_FILE: file("credential.key"),
      };
    }
    case "gateway":
      return {
        ...base,
        ...audit,
        ...(traceRatio === undefined ? {} : { SALLYPORT_TRACE_RATIO: traceRatio }),
        SALLYPORT_PROBE_LISTEN: `127.0.0.1:${addresses.probe}`,
        SALLYPORT_EDGE_CERT_FILE: file("edge.pem"),
        SALLYPORT_EDGE_KEY_FILE: file("edge.key"),
        SALLYPORT_REDIS_URL_FILE: file("redis.url"),
        SALLYPORT_IDENTITY_URL: url("identity"),
        SALLYPORT_POLICY_URL: url("policy"),
        SALLYPORT_SECRETS_URL: url("secrets"),
        SALLYPORT_CRYPTO_URL: url("crypto"),
      };
    default:
      throw new Error(`no settings for ${String(name satisfies never)}`);
  }
}
