import { expect, test } from "vitest";
import { newKey, zeroing } from "./aead.ts";
import { createFileKek, kekText } from "./kek.ts";
import { type Keyring, kekOfKeyring, openKeyring, sealKeyring, wipeKeyring } from "./keyring.ts";

const newKeyring = (): Keyring => ({
  permit: [{ keyId: "permit-1", key: newKey() }],
  slip: [{ keyId: "slip-1", key: newKey() }],
  sealing: [{ keyId: "sealing-1", key: newKey() }],
  reply: [
    { keyId: "reply-2", key: newKey() },
    { keyId: "reply-1", key: newKey() },
  ],
});

test("opens under its KEK with every key in order", async () => {
  const kek = createFileKek(newKey());
  const keyring = newKeyring();
  expect(toHex(await openKeyring(kek, await sealKeyring(kek, keyring)))).toEqual(toHex(keyring));
});

test("a wrong KEK is refused with one sentence that names the one needed and the one given", async () => {
  const [right, wrong] = [createFileKek(newKey()), createFileKek(newKey())];
  const sealed = await sealKeyring(right, newKeyring());
  const [needed, given] = [kekText(await right.describe()), kekText(await wrong.describe())];
  await expect(openKeyring(wrong, sealed)).rejects.toThrow(
    `the keyring needs the KEK ${needed}, but the KEK given is ${given}`,
  );
});

test("names its KEK before anything is opened", async () => {
  const kek = createFileKek(newKey());
  const sealed = await sealKeyring(kek, newKeyring());
  expect(kekOfKeyring(sealed)).toEqual(await kek.describe());
  expect(() => kekOfKeyring(sealed.subarray(0, 20))).toThrow("the name of a KEK is cut short");
  expect(() => kekOfKeyring(Buffer.from("SPR3"))).toThrow("not a keyring");
});

test("no keyring opens after any single bit changed", async () => {
  const kek = createFileKek(newKey());
  const sealed = await sealKeyring(kek, newKeyring());
  for (let bit = 0; bit < sealed.length * 8; bit += 1) {
    const changed = Uint8Array.from(sealed, (byte, at) =>
      at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte,
    );
    await expect(openKeyring(kek, changed), `bit ${bit}`).rejects.toThrow(Error);
  }
});

test("wiping leaves zeroes, and so does a secret's end, also when it fails", async () => {
  const keyring = newKeyring();
  wipeKeyring(keyring);
  expect(
    Object.values(keyring)
      .flat()
      .every(({ key }) => key.every((byte) => byte === 0)),
  ).toBe(true);
  const secret = newKey();
  await expect(zeroing(secret, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(secret.every((byte) => byte === 0)).toBe(true);
});

function toHex(keyring: Keyring) {
  return Object.entries(keyring).flatMap(([use, keys]) =>
    keys.map(({ keyId, key }) => [use, keyId, Buffer.from(key).toString("hex")]),
  );
}
