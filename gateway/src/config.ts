import {
  fileText,
  list,
  listen,
  optional,
  path,
  readSettings,
  seconds,
  share,
  text,
  url,
} from "@sallyport/config";
import { addressRanges } from "./connections/proxies.ts";
import { keysetFile } from "@sallyport/evidence";
import { limitSettings } from "./limits/settings.ts";

/** The settings of a gateway. Secrets come as file paths, times are in seconds. */
export type GatewayConfig = ReturnType<typeof readGatewayConfig>;

/**
 * Reads the gateway's settings from the environment; a missing or unknown one stops the start and
 * is named.
 */
export function readGatewayConfig(env: NodeJS.ProcessEnv) {
  return readSettings(env, {
    listen: listen("SALLYPORT_LISTEN"),
    ...limitSettings,
    proxies: addressRanges("SALLYPORT_PROXY_PROTOCOL_FROM"),
    probeListen: optional(listen("SALLYPORT_PROBE_LISTEN")),
    trustDomain: text("SALLYPORT_TRUST_DOMAIN"),
    certFile: path("SALLYPORT_TLS_CERT_FILE"),
    keyFile: path("SALLYPORT_TLS_KEY_FILE"),
    caFile: path("SALLYPORT_CA_FILE"),
    edgeCertFile: path("SALLYPORT_EDGE_CERT_FILE"),
    edgeKeyFile: path("SALLYPORT_EDGE_KEY_FILE"),
    publicNames: list("SALLYPORT_PUBLIC_NAMES"),
    clockWindowSeconds: seconds("SALLYPORT_CLOCK_WINDOW", { default: 60, min: 1, max: 300 }),
    keyset: keysetFile("SALLYPORT_KEYSET_FILE"),
    rootFingerprint: text("SALLYPORT_ROOT_FINGERPRINT"),
    redisUrl: fileText("SALLYPORT_REDIS_URL_FILE"),
    identityUrl: url("SALLYPORT_IDENTITY_URL"),
    policyUrl: url("SALLYPORT_POLICY_URL"),
    secretsUrl: url("SALLYPORT_SECRETS_URL"),
    cryptoUrl: url("SALLYPORT_CRYPTO_URL"),
    auditUrl: url("SALLYPORT_AUDIT_URL"),
    logLevel: optional(text("SALLYPORT_LOG_LEVEL")),
    otlpUrl: optional(url("SALLYPORT_OTLP_URL", { plain: true })),
    traceRatio: share("SALLYPORT_TRACE_RATIO", 0.05),
  });
}
