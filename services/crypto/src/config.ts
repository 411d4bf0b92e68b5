import {
  type Setting,
  keyFile,
  list,
  listen,
  optional,
  path,
  readPrivateBytes,
  readSettings,
  seconds,
  text,
  url,
} from "@sallyport/config";
import { keysetFile } from "@sallyport/evidence";
import { type KekProvider, kekOfKeyFile, parseKekSetting } from "@sallyport/proto/keyring";

/** The settings of crypto. Secrets come as file paths, times are in seconds. */
export type CryptoConfig = ReturnType<typeof readCryptoConfig>;

/**
 * Reads the settings of crypto from the environment; a missing or unknown one stops the start and
 * is named.
 */
export function readCryptoConfig(env: NodeJS.ProcessEnv) {
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
    kek: kek("SALLYPORT_KEK"),
    keyring: keyringFile("SALLYPORT_KEYRING_FILE"),
    auditUrl: url("SALLYPORT_AUDIT_URL"),
    logLevel: optional(text("SALLYPORT_LOG_LEVEL")),
    otlpUrl: optional(url("SALLYPORT_OTLP_URL", { plain: true })),
  });
}

// A KEK in a file is read at once, so that a fault stops the start before anything is opened.
function kek(variable: string): Setting<KekProvider> {
  const read = (value: string) => kekOfKeyFile(keyFile(variable).read(parseKekSetting(value).file));
  return { variable, read };
}

/** The source of the keyring: a file that is followed, or, in tests, one that never changes. */
export type KeyringSource = string | Uint8Array;

function keyringFile(variable: string): Setting<KeyringSource> {
  return {
    variable,
    read(file) {
      if (readPrivateBytes(file).length === 0) throw new Error("names an empty file");
      return file;
    },
  };
}

/** Reads the settings of the ceremony: the paths of the KEK, the keyring and the two MAC keys. */
export function readCeremonyConfig(env: NodeJS.ProcessEnv) {
  return readSettings(env, {
    kek: { variable: "SALLYPORT_KEK", read: parseKekSetting },
    keyringFile: path("SALLYPORT_KEYRING_FILE"),
    permitKeyFile: path("SALLYPORT_PERMIT_KEY_FILE"),
    slipKeyFile: path("SALLYPORT_SLIP_KEY_FILE"),
  });
}
