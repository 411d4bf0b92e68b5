import {
  type Setting,
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
import { isId } from "@sallyport/proto/ids";
import { defaultRecordsPerDay, fewestRecordsPerDay } from "./log/budget.ts";

/** The settings of audit. Secrets come as file paths, times are in seconds. */
export type AuditConfig = ReturnType<typeof readAuditConfig>;

/**
 * Reads audit's settings from the environment; a missing or unknown one stops the start and is
 * named.
 */
export function readAuditConfig(env: NodeJS.ProcessEnv) {
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
    answerKeys: keySource("SALLYPORT_ANSWER_KEY_FILE"),
    logKeys: keySource("SALLYPORT_LOG_KEY_FILE"),
    operatorVault: optional(vaultId("SALLYPORT_OPERATOR_VAULT")),
    recordsPerOriginPerDay: wholeNumber("SALLYPORT_RECORDS_PER_ORIGIN_PER_DAY", {
      default: defaultRecordsPerDay,
      min: fewestRecordsPerDay,
      max: 1_000_000_000,
    }),
    logLevel: optional(text("SALLYPORT_LOG_LEVEL")),
    otlpUrl: optional(url("SALLYPORT_OTLP_URL", { plain: true })),
  });
}

/** Reads what migrating needs: the database as its owner. */
export function readMigrationConfig(env: NodeJS.ProcessEnv) {
  return readSettings(env, { databaseUrl: fileText("SALLYPORT_DATABASE_URL_FILE") });
}

function vaultId(variable: string): Setting<string> {
  return {
    variable,
    read(value) {
      if (!isId("vlt", value)) throw new Error("is not the id of a vault");
      return value;
    },
  };
}
