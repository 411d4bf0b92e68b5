import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeKeyFile } from "@sallyport/config";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createFileKek, newKey } from "@sallyport/proto/keyring";
import { readCeremonyConfig, readCryptoConfig } from "./config.ts";

let folder: string;
let env: Record<string, string>;
const kek = { keyId: "kek-1", key: new Uint8Array(newKey()) };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "config-"));
  writeFileSync(join(folder, "keyset"), "keyset");
  writeFileSync(join(folder, "keyring"), "keyring", { mode: 0o600 });
  writeKeyFile(join(folder, "kek"), [kek]);
  env = {
    SALLYPORT_LISTEN: "127.0.0.1:9104",
    SALLYPORT_TRUST_DOMAIN: "sallyport.test",
    SALLYPORT_TLS_CERT_FILE: "/pki/cert.pem",
    SALLYPORT_TLS_KEY_FILE: "/pki/key.pem",
    SALLYPORT_CA_FILE: "/pki/ca.pem",
    SALLYPORT_PUBLIC_NAMES: "sallyport.example:8443",
    SALLYPORT_KEYSET_FILE: join(folder, "keyset"),
    SALLYPORT_ROOT_FINGERPRINT: "root",
    SALLYPORT_KEK: `file:${join(folder, "kek")}`,
    SALLYPORT_KEYRING_FILE: join(folder, "keyring"),
    SALLYPORT_AUDIT_URL: "https://audit.test:9105",
  };
});
afterEach(() => rmSync(folder, { recursive: true }));

test("every setting is read from its variable", () => {
  const optional = {
    SALLYPORT_CLOCK_WINDOW: "300",
    SALLYPORT_LOG_LEVEL: "debug",
    SALLYPORT_OTLP_URL: "http://collector.test:4318",
  };
  expect(readCryptoConfig({ ...env, ...optional })).toMatchObject({
    listen: { host: "127.0.0.1", port: 9104 },
    trustDomain: "sallyport.test",
    certFile: "/pki/cert.pem",
    keyFile: "/pki/key.pem",
    caFile: "/pki/ca.pem",
    publicNames: ["sallyport.example:8443"],
    clockWindowSeconds: 300,
    keyset: join(folder, "keyset"),
    rootFingerprint: "root",
    keyring: join(folder, "keyring"),
    logLevel: "debug",
  });
  expect(readCryptoConfig(env).kek.describe()).toEqual(createFileKek(kek.key).describe());
  const { auditUrl, otlpUrl } = readCryptoConfig({ ...env, ...optional });
  expect(auditUrl).toContain("https://audit.test:9105");
  expect(otlpUrl).toContain("http://collector.test:4318");
});

test("the window is 60 seconds unless it is set, from 1 to 300", () => {
  expect(readCryptoConfig(env).clockWindowSeconds).toBe(60);
  expect(readCryptoConfig({ ...env, SALLYPORT_CLOCK_WINDOW: "1" }).clockWindowSeconds).toBe(1);
  for (const window of ["0", "301"])
    expect(() => readCryptoConfig({ ...env, SALLYPORT_CLOCK_WINDOW: window })).toThrow(
      "SALLYPORT_CLOCK_WINDOW",
    );
});

test("a missing setting is named", () => {
  for (const name of Object.keys(env)) {
    const { [name]: _, ...others } = env;
    expect(() => readCryptoConfig(others)).toThrow(name);
  }
});

test("a KEK that is not one key in a private file, or of an unknown scheme, is named", () => {
  const file = join(folder, "two");
  writeKeyFile(file, [kek, { keyId: "kek-2", key: newKey() }]);
  const refused = [
    [`file:${file}`, "SALLYPORT_KEK names a key file with more than one KEK"],
    ["awskms:arn", "SALLYPORT_KEK has the unknown scheme awskms; the known schemes are: file:PATH"],
    [join(folder, "kek"), "SALLYPORT_KEK has no scheme; the known schemes are: file:PATH"],
    ["file:/nowhere", "SALLYPORT_KEK"],
  ] as const;
  for (const [setting, sentence] of refused)
    expect(() => readCryptoConfig({ ...env, SALLYPORT_KEK: setting })).toThrow(sentence);
});

test("an empty keyring file stops the start", () => {
  writeFileSync(join(folder, "keyring"), "", { mode: 0o600 });
  expect(() => readCryptoConfig(env)).toThrow("SALLYPORT_KEYRING_FILE names an empty file");
});

test("the former setting of a KEK's file is refused by its name", () => {
  expect(() => readCryptoConfig({ ...env, SALLYPORT_KEK_FILE: join(folder, "kek") })).toThrow(
    "SALLYPORT_KEK_FILE",
  );
});

test("the ceremony needs its four files, each from its variable", () => {
  const files = {
    SALLYPORT_KEK: "file:/keys/kek",
    SALLYPORT_KEYRING_FILE: "/keys/keyring",
    SALLYPORT_PERMIT_KEY_FILE: "/keys/permit",
    SALLYPORT_SLIP_KEY_FILE: "/keys/slip",
  };
  expect(readCeremonyConfig(files)).toEqual({
    kek: { scheme: "file", file: "/keys/kek" },
    keyringFile: "/keys/keyring",
    permitKeyFile: "/keys/permit",
    slipKeyFile: "/keys/slip",
  });
  expect(() => readCeremonyConfig({})).toThrow("SALLYPORT_KEK");
});
