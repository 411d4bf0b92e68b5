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
  wholeNumber,
} from "@sallyport/config";
import { keysetFile } from "@sallyport/evidence";

/** The settings of identity. Secrets come as file paths, times are in seconds. */
export type IdentityConfig = ReturnType<typeof readIdentityConfig>;

/**
 * Reads identity's settings from the environment; a missing or unknown one stops the start and is
 * named.
 */
export function readIdentityConfig(env: NodeJS.ProcessEnv) {
  return readSettings(env, {
    listen: listen("SALLYPORT_LISTEN"),
    trustDomain: text("SALLYPORT_TRUST_DOMAIN"),
    certFile: path("SALLYPORT_TLS_CERT_FILE"),
    keyFile: path("SALLYPORT_TLS_KEY_FILE"),
    caFile: path("SALLYPORT_CA_FILE"),
    keyset: keysetFile("SALLYPORT_KEYSET_FILE"),
    rootFingerprint: text("SALLYPORT_ROOT_FINGERPRINT"),
    publicNames: list("SALLYPORT_PUBLIC_NAMES"),
    clockWindowSeconds: seconds("SALLYPORT_CLOCK_WINDOW", { default: 60, min: 1, max: 300 }),
    databaseUrl: fileText("SALLYPORT_DATABASE_URL_FILE"),
    policyUrl: url("SALLYPORT_POLICY_URL"),
    auditUrl: url("SALLYPORT_AUDIT_URL"),
    machineCap: wholeNumber("SALLYPORT_MACHINE_CAP", { default: 10_000, min: 1, max: 1_000_000 }),
    credentialKeys: keySource("SALLYPORT_CREDENTIAL_KEY_FILE"),
    answerKeys: keySource("SALLYPORT_ANSWER_KEY_FILE"),
    logLevel: optional(text("SALLYPORT_LOG_LEVEL")),
    otlpUrl: optional(url("SALLYPORT_OTLP_URL", { plain: true })),
  });
}
