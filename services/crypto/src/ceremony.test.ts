import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { keyFile, writeKeyFile } from "@sallyport/config";
import { publicKeyOf } from "@sallyport/evidence";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createFileKek, newKey, kekText, openKeyring, sealKeyring } from "@sallyport/proto/keyring";
import { type CeremonyFiles, type CeremonyResult, holdCeremony } from "./ceremony.ts";
import { sealingPublicKeyOf } from "./hpke.ts";

let folder: string;
let files: CeremonyFiles;
let kekFile: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ceremony-"));
  const [keyringFile, permitKeyFile, slipKeyFile] = ["keyring", "permit", "slip"].map((name) =>
    join(folder, name),
  );
  kekFile = join(folder, "kek");
  files = {
    kek: { scheme: "file", file: kekFile },
    keyringFile: keyringFile ?? "",
    permitKeyFile: permitKeyFile ?? "",
    slipKeyFile: slipKeyFile ?? "",
  };
});
afterEach(() => rmSync(folder, { recursive: true }));

const keysOf = (file: string) => keyFile("TEST").read(file);
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");

test("makes four files for their owner alone, which belong together", async () => {
  const { kek: kekName, keys } = await holdCeremony(files);
  expect(readdirSync(folder).sort()).toEqual(["kek", "keyring", "permit", "slip"]);
  for (const name of readdirSync(folder))
    expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
  const kek = createFileKek(keysOf(kekFile)[0]?.key ?? new Uint8Array());
  const keyring = await openKeyring(kek, readFileSync(files.keyringFile));
  expect(kekName).toBe(kekText(await kek.describe()));
  expect(keysOf(files.permitKeyFile)).toEqual(keyring.permit);
  expect(keysOf(files.slipKeyFile)).toEqual(keyring.slip);
  const idsOf = (keys: readonly { readonly keyId: string }[]) => keys.map(({ keyId }) => keyId);
  expect(idsOf(keysOf(kekFile))).toEqual([expect.stringMatching(/^kek-[0-9a-f]{8}$/)]);
  for (const use of ["permit", "slip", "sealing", "reply"] as const)
    expect(idsOf(keyring[use])).toEqual([
      expect.stringMatching(new RegExp(`^${use}-[0-9a-f]{8}$`)),
    ]);
  expect(keys).toEqual([
    ...keyring.sealing.map(({ keyId, key }) => ({
      keyId,
      use: "SEALING",
      publicKey: base64(sealingPublicKeyOf(key)),
    })),
    ...keyring.reply.map(({ keyId, key }) => ({
      keyId,
      use: "REPLY",
      publicKey: base64(publicKeyOf(key)),
    })),
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
  const { kek: kekName } = await holdCeremony(files);
  rmSync(kekFile);
  await expect(holdCeremony(files)).rejects.toThrow(
    `the keyring needs the KEK ${kekName}, but ${kekFile} is missing`,
  );
  writeKeyFile(kekFile, [{ keyId: "kek-other", key: newKey() }]);
  await expect(holdCeremony(files)).rejects.toThrow(
    `the keyring needs the KEK ${kekName}, but the KEK given is `,
  );
});

test("refuses a KEK file with two keys, and one that holds none, naming the setting", async () => {
  writeKeyFile(kekFile, [
    { keyId: "kek-1", key: newKey() },
    { keyId: "kek-2", key: newKey() },
  ]);
  await expect(holdCeremony(files)).rejects.toThrow(
    "SALLYPORT_KEK names a key file with more than one KEK",
  );
  rmSync(kekFile);
  writeFileSync(kekFile, "no key", { mode: 0o600 });
  await expect(holdCeremony(files)).rejects.toThrow(
    /^SALLYPORT_KEK names a key file whose line 1 is not /,
  );
  expect(readdirSync(folder)).toEqual(["kek"]);
});

test("keeps MAC keys that are the keyring's, in any order, and refuses all others", async () => {
  await holdCeremony(files);
  const kek = createFileKek(keysOf(kekFile)[0]?.key ?? new Uint8Array());
  const keyring = await openKeyring(kek, readFileSync(files.keyringFile));
  const one = { keyId: "permit-1", key: newKey() };
  const two = { keyId: "permit-2", key: newKey() };
  const both = { ...keyring, permit: [one, two] };
  rmSync(files.keyringFile);
  writeFileSync(files.keyringFile, await sealKeyring(kek, both), { mode: 0o600 });
  const permitKeys = async (...keys: readonly (typeof one)[]) => {
    rmSync(files.permitKeyFile);
    writeKeyFile(files.permitKeyFile, keys);
    return holdCeremony(files);
  };
  await permitKeys(one, two);
  await permitKeys(two, one);
  const other = { keyId: "permit-3", key: newKey() };
  const refused = [
    [one],
    [one, other],
    [other, two],
    [one, { ...two, key: newKey() }],
    [one, { ...two, keyId: "permit-3" }],
    [one, two, other],
    [other],
  ];
  for (const keys of refused)
    await expect(permitKeys(...keys)).rejects.toThrow(
      `${files.permitKeyFile} does not hold the keys of the keyring`,
    );
});

test.each([
  ["SALLYPORT_PERMIT_KEY_FILE", "permitKeyFile"],
  ["SALLYPORT_SLIP_KEY_FILE", "slipKeyFile"],
] as const)("names %s when its file holds no keys", async (setting, name) => {
  await holdCeremony(files);
  writeFileSync(files[name], "no key");
  await expect(holdCeremony(files)).rejects.toThrow(
    `${setting} names a key file whose line 1 is not `,
  );
  await expect(holdCeremony(files)).rejects.toHaveProperty("cause.message");
});

test("the command prints the public half as JSON and no key", () => {
  const env = {
    PATH: process.env["PATH"],
    SALLYPORT_KEK: `file:${kekFile}`,
    SALLYPORT_KEYRING_FILE: files.keyringFile,
    SALLYPORT_PERMIT_KEY_FILE: files.permitKeyFile,
    SALLYPORT_SLIP_KEY_FILE: files.slipKeyFile,
  };
  const command = fileURLToPath(new URL("keyring-create.ts", import.meta.url));
  const output = execFileSync(process.execPath, [command], { env, encoding: "utf8" });
  const { kek: kekName, keys } = JSON.parse(output) as CeremonyResult;
  expect(kekName).toMatch(/^file:[0-9a-f]{32}$/);
  expect(keys.map(({ use }) => use)).toEqual(["SEALING", "REPLY"]);
  for (const file of [kekFile, files.permitKeyFile, files.slipKeyFile])
    for (const { key } of keysOf(file)) expect(output).not.toContain(base64(key));
});
