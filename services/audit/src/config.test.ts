import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeKeyFile } from "@sallyport/config";
import { newId } from "@sallyport/proto/ids";
import { afterAll, expect, test } from "vitest";
import { readAuditConfig } from "./config.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-audit-config-"));
const file = join(folder, "content");
writeFileSync(file, "content");
const keys = join(folder, "answer.key");
writeKeyFile(keys, [{ keyId: "answer-1", key: new Uint8Array(32) }]);
afterAll(() => rmSync(folder, { recursive: true }));

const env = {
  SALLYPORT_LISTEN: "127.0.0.1:9105",
  SALLYPORT_TRUST_DOMAIN: "sallyport.example",
  SALLYPORT_TLS_CERT_FILE: file,
  SALLYPORT_TLS_KEY_FILE: file,
  SALLYPORT_CA_FILE: file,
  SALLYPORT_PUBLIC_NAMES: "sallyport.example:443",
  SALLYPORT_KEYSET_FILE: file,
  SALLYPORT_ROOT_FINGERPRINT: "root",
  SALLYPORT_DATABASE_URL_FILE: file,
  SALLYPORT_ANSWER_KEY_FILE: keys,
  SALLYPORT_LOG_KEY_FILE: keys,
};

test("the log key is required, and no file that others may read", () => {
  const { SALLYPORT_LOG_KEY_FILE: _, ...without } = env;
  expect(() => readAuditConfig(without)).toThrow("SALLYPORT_LOG_KEY_FILE is missing");
  const open = join(folder, "open.key");
  writeFileSync(open, readFileSync(keys), { mode: 0o644 });
  const read = (file: string) => () => readAuditConfig({ ...env, SALLYPORT_LOG_KEY_FILE: file });
  expect(read(open)).toThrow(
    "SALLYPORT_LOG_KEY_FILE names a key file that everyone on the machine may open",
  );
  expect(read(join(folder, "none.key"))).toThrow(/SALLYPORT_LOG_KEY_FILE .*ENOENT|no such file/);
});

test("the operator's vault is optional, and the id of a vault", () => {
  const operatorVault = newId("vlt");
  expect(readAuditConfig(env).operatorVault).toBeUndefined();
  expect(readAuditConfig({ ...env, SALLYPORT_OPERATOR_VAULT: operatorVault })).toMatchObject({
    operatorVault,
  });
  for (const value of ["default", newId("usr"), `${operatorVault}x`])
    expect(() => readAuditConfig({ ...env, SALLYPORT_OPERATOR_VAULT: value })).toThrow(
      "SALLYPORT_OPERATOR_VAULT is not the id of a vault",
    );
});
