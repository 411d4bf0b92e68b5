import { expect, test } from "vitest";
import { EnvelopeError, newKey } from "./aead.ts";
import { checkFingerprint, createFileKek, textOf } from "./kek.ts";

test("a KEK has 32 bytes", () => {
  for (const length of [0, 31, 33])
    expect(() => createFileKek(new Uint8Array(length))).toThrow(
      new RangeError("a KEK has 32 bytes"),
    );
});

test("a file's KEK tells where it lives, and a fingerprint of 16 bytes that is its own", () => {
  const [one, other] = [createFileKek(newKey()).describe(), createFileKek(newKey()).describe()];
  expect(one.provider).toBe("file");
  expect(one.fingerprint).toHaveLength(16);
  expect(one.fingerprint).not.toEqual(other.fingerprint);
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

test("another KEK's fingerprint is refused by both their names", () => {
  const [needed, given] = [createFileKek(newKey()), createFileKek(newKey())];
  const fingerprint = needed.describe().fingerprint;
  expect(() => checkFingerprint("it", fingerprint, needed)).not.toThrow();
  const texts = [needed, given].map((kek) => textOf(kek.describe().fingerprint));
  expect(() => checkFingerprint("it", fingerprint, given)).toThrow(
    expect.objectContaining({
      name: "WrongKekError",
      message: `it needs the KEK ${texts[0]}, but the KEK given is ${texts[1]}`,
    }),
  );
});
