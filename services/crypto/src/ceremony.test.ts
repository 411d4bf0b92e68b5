import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { keyFile, writeKeyFile } from "@sallyport/config";
import { publicKeyOf } from "@sallyport/evidence";
import { afterEach, beforeEach, expect, test } from "vitest";
import { newKey } from "./aead.ts";
import { type CeremonyFiles, type CeremonyResult, holdCeremony } from "./ceremony.ts";
import { sealingPublicKeyOf } from "./hpke.ts";
import { createFileKek, textOf } from "./kek.ts";
import { openKeyring } from "./keyring.ts";

let folder: string;
let files: CeremonyFiles;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ceremony-"));
  const [kekFile, keyringFile, permitKeyFile, slipKeyFile] = ["kek", "keyring", "permit", "slip"].map(
    (name) => join(folder, name),
  );
  files = {
    kekFile: kekFile ?? "",
    keyringFile: keyringFile ?? "",
    permitKeyFile: permitKeyFile ?? "",
    slipKeyFile: slipKeyFile ?? "",
  };
});
afterEach(() => rmSync(folder, { recursive: true }));

const keysOf = (file: string) => keyFile("TEST").read(file);
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");

test("makes four files for their owner alone, which belong together", async () => {
  const { kekFingerprint, keys } = await holdCeremony(files);
  expect(readdirSync(folder).sort()).toEqual(["kek", "keyring", "permit", "slip"]);
  for (const file of Object.values(files)) expect(statSync(file).mode & 0o777).toBe(0o600);
  const kek = createFileKek(keysOf(files.kekFile)[0]?.key ?? new Uint8Array());
  const keyring = await openKeyring(kek, readFileSync(files.keyringFile));
  expect(kekFingerprint).toBe(textOf(kek.describe().fingerprint));
  expect(keysOf(files.permitKeyFile)).toEqual(keyring.permit);
  expect(keysOf(files.slipKeyFile)).toEqual(keyring.slip);
  expect(keys).toEqual([
    ...keyring.sealing.map(({ keyId, key }) => ({
      keyId,
      use: "SEALING",
      publicKey: base64(sealingPublicKeyOf(key)),
    })),
    ...keyring.reply.map(({ keyId, key }) => ({ keyId, use: "REPLY", publicKey: base64(publicKeyOf(key)) })),
  ]);
});

test("a second ceremony changes nothing, and finishes one that was cut short", async () => {
  const first = await holdCeremony(files);
  const slip = readFileSync(files.slipKeyFile, "utf8");
  rmSync(files.slipKeyFile);
  expect(await holdCeremony(files)).toEqual(first);
  expect(readFileSync(files.slipKeyFile, "utf8")).toBe(slip);
});

test("never makes a new KEK for a keyring that has one, and names the one needed", async () => {
  const { kekFingerprint } = await holdCeremony(files);
  rmSync(files.kekFile);
  await expect(holdCeremony(files)).rejects.toThrow(
    `the keyring needs the KEK ${kekFingerprint}, but ${files.kekFile} is missing`,
  );
  writeKeyFile(files.kekFile, [{ keyId: "kek-other", key: newKey() }]);
  await expect(holdCeremony(files)).rejects.toThrow(
    `the keyring needs the KEK ${kekFingerprint}, but the KEK given is `,
  );
});

test("refuses MAC keys that are not the keyring's", async () => {
  await holdCeremony(files);
  rmSync(files.permitKeyFile);
  writeKeyFile(files.permitKeyFile, [{ keyId: "permit-1", key: newKey() }]);
  await expect(holdCeremony(files)).rejects.toThrow("does not hold the keys of the keyring");
});

test("the command prints the public half as JSON and no key", () => {
  const env = {
    PATH: process.env["PATH"],
    SALLYPORT_KEK_FILE: files.kekFile,
    SALLYPORT_KEYRING_FILE: files.keyringFile,
    SALLYPORT_PERMIT_KEY_FILE: files.permitKeyFile,
    SALLYPORT_SLIP_KEY_FILE: files.slipKeyFile,
  };
  const command = fileURLToPath(new URL("keyring-create.ts", import.meta.url));
  const output = execFileSync(process.execPath, [command], { env, encoding: "utf8" });
  const { kekFingerprint, keys } = JSON.parse(output) as CeremonyResult;
  expect(kekFingerprint).toMatch(/^[0-9a-f]{32}$/);
  expect(keys.map(({ use }) => use)).toEqual(["SEALING", "REPLY"]);
  for (const file of [files.kekFile, files.permitKeyFile, files.slipKeyFile])
    for (const { key } of keysOf(file)) expect(output).not.toContain(base64(key));
});
