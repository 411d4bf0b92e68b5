import {
  fileText,
  keySource,
  list,
  listen,
  optional,
  path,
  readSettings,
  seconds,
  text,
  url,
} from "@sallyport/config";
import { keysetFile } from "@sallyport/evidence";

/** The settings of secrets. Secrets come as file paths, times are in seconds. */
export type SecretsConfig = ReturnType<typeof readSecretsConfig>;

/**
 * Reads the settings of secrets from the environment; a missing or unknown one stops the start and
 * is named.
 */
export function readSecretsConfig(env: NodeJS.ProcessEnv) {
  return readSettings(env, {
    listen: listen("SALLYPORT_LISTEN"),
    trustDomain: text("SALLYPORT_TRUST_DOMAIN"),
    certFile: path("SALLYPORT_TLS_CERT_FILE"),
    keyFile: path("SALLYPORT_TLS_KEY_FILE"),
    caFile: path("SALLYPORT_CA_FILE"),
    publicNames: list("SALLYPORT_PUBLIC_NAMES"),
    clockWindowSeconds: seconds("SALLYPORT_CLOCK_WINDOW", { default: 60, min: 1, max: 300 }),
    keyset: keysetFile("SALLYPORT_KEYSET_FILE"),
    rootFingerprint: text("SALLYPORT_ROOT_FINGERPRINT"),
    databaseUrl: fileText("SALLYPORT_DATABASE_URL_FILE"),
    slipKeys: keySource("SALLYPORT_SLIP_KEY_FILE"),
    answerKeys: keySource("SALLYPORT_ANSWER_KEY_FILE"),
    policyUrl: url("SALLYPORT_POLICY_URL"),
    cryptoUrl: url("SALLYPORT_CRYPTO_URL"),
    auditUrl: url("SALLYPORT_AUDIT_URL"),
    logLevel: optional(text("SALLYPORT_LOG_LEVEL")),
    otlpUrl: optional(url("SALLYPORT_OTLP_URL", { plain: true })),
  });
}

/** Reads what migrating needs: the database as its owner. */
export function readMigrationConfig(env: NodeJS.ProcessEnv) {
  return readSettings(env, { databaseUrl: fileText("SALLYPORT_DATABASE_URL_FILE") });
}
