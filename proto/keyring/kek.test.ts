import { expect, test } from "vitest";
import { EnvelopeError, newKey } from "./aead.ts";
import {
  KekSettingError,
  checkKek,
  createFileKek,
  kekOfKeyFile,
  kekText,
  parseKekSetting,
  unwrapKey,
} from "./kek.ts";
import { KeyFileError } from "./key-file.ts";

test("a KEK has 32 bytes", () => {
  for (const length of [0, 31, 33])
    expect(() => createFileKek(new Uint8Array(length))).toThrow(
      new RangeError("a KEK has 32 bytes"),
    );
});

test("a file's KEK is named by its provider, and a fingerprint of 16 bytes that is its own", async () => {
  const [one, other] = [
    await createFileKek(newKey()).describe(),
    await createFileKek(newKey()).describe(),
  ];
  expect(one.provider).toBe("file");
  expect(one.key).toMatch(/^[0-9a-f]{32}$/);
  expect(one.key).not.toEqual(other.key);
});

test("what it wrapped it unwraps, with the same associated data", async () => {
  const kek = createFileKek(newKey());
  const [key, aad] = [newKey(), Buffer.from("aad")];
  const wrapped = await kek.wrap(key, aad);
  expect(wrapped).toHaveLength(60);
  expect(new Uint8Array(await kek.unwrap(wrapped, aad))).toEqual(new Uint8Array(key));
  const refused = await kek.unwrap(wrapped, Buffer.from("other")).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(EnvelopeError);
  expect(refused).toMatchObject({ name: "EnvelopeError", message: "a tag does not hold" });
});

test("what is too short to have a tag is refused for that", async () => {
  const refused = createFileKek(newKey()).unwrap(new Uint8Array(27), Buffer.from("aad"));
  await expect(refused).rejects.toThrow(new EnvelopeError("a sealed text is cut short"));
});

test("another KEK and another provider are refused by both their names", async () => {
  const [needed, given] = [createFileKek(newKey()), createFileKek(newKey())];
  const [name, other] = [await needed.describe(), await given.describe()];
  await expect(checkKek("it", name, needed)).resolves.toBeUndefined();
  await expect(checkKek("it", name, given)).rejects.toMatchObject({
    name: "WrongKekError",
    message: `it needs the KEK ${kekText(name)}, but the KEK given is ${kekText(other)}`,
  });
  const remote = { provider: "awskms", key: other.key };
  await expect(checkKek("it", remote, given)).rejects.toThrow(
    `it needs the KEK awskms:${other.key}, but the KEK given is file:${other.key}`,
  );
});

test("a provider that unwraps a key of another length is refused, and the key zeroed", async () => {
  const key = new Uint8Array(31).fill(1);
  const kek = { ...createFileKek(newKey()), unwrap: async () => key };
  await expect(unwrapKey(kek, new Uint8Array(1), new Uint8Array(1))).rejects.toThrow(
    new EnvelopeError("a wrapped key has another length than 32 bytes"),
  );
  expect(key).toEqual(new Uint8Array(31));
});

test("a KEK file holds one key", async () => {
  const key = newKey();
  const only = await kekOfKeyFile([{ keyId: "kek-1", key }]).describe();
  expect(only).toEqual(await createFileKek(key).describe());
  for (const keys of [[], ["kek-1", "kek-2"].map((keyId) => ({ keyId, key }))])
    expect(() => kekOfKeyFile(keys)).toThrow(
      new KeyFileError("names a key file with more than one KEK"),
    );
});

test("a KEK setting has a scheme; an unknown one is refused with the list of those known", () => {
  expect(parseKekSetting("file:/keys/kek")).toEqual({ scheme: "file", file: "/keys/kek" });
  expect(parseKekSetting("file:C:\\kek")).toEqual({ scheme: "file", file: "C:\\kek" });
  const refused = [
    ["/keys/kek", "has no scheme; the known schemes are: file:PATH"],
    ["", "has no scheme; the known schemes are: file:PATH"],
    ["/keys/file:/kek", "has no scheme; the known schemes are: file:PATH"],
    ["FILE:/kek", "has no scheme; the known schemes are: file:PATH"],
    ["awskms:arn:aws", "has the unknown scheme awskms; the known schemes are: file:PATH"],
    ["file:", "names no file after file:"],
  ] as const;
  for (const [setting, message] of refused)
    expect(() => parseKekSetting(setting)).toThrow(
      expect.objectContaining({ name: "KekSettingError", message }),
    );
  expect(new KekSettingError("x")).toBeInstanceOf(Error);
});
