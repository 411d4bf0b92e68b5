import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { newSeed, privateKeyOf, rawPublicKey, signBytes, verifyBytes } from "../node/keys.ts";
import { createEd25519 } from "./ed25519.ts";

type Case = {
  readonly name: string;
  readonly publicKey: string;
  readonly message: string;
  readonly signature: string;
  readonly valid: boolean;
};

const path = new URL("../../../../test/vectors/signing/ed25519.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(path, "utf8")) as { readonly cases: readonly Case[] };
const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"));
const { subtle } = globalThis.crypto;

/** WebCrypto as a runtime has it that knows every algorithm but Ed25519. */
const older = new Proxy(subtle, {
  get(target, name) {
    const found: unknown = Reflect.get(target, name);
    if (typeof found !== "function") return found;
    return (...parameters: unknown[]) =>
      parameters.includes("Ed25519")
        ? Promise.reject(new DOMException("Unrecognized name.", "NotSupportedError"))
        : (Reflect.apply(found, target, parameters) as unknown);
  },
});

describe.each([
  ["WebCrypto", createEd25519(subtle)],
  ["@noble/ed25519, where WebCrypto lacks it", createEd25519(older)],
])("Ed25519 by %s", (_, ed25519) => {
  test.each(cases)("$name: valid is $valid", async ({ publicKey, message, signature, valid }) => {
    expect(await ed25519.verify(bytes(publicKey), bytes(message), bytes(signature))).toBe(valid);
  });

  test("signs with a seed as Node does", async () => {
    const seed = newSeed();
    const key = await ed25519.signingKey(seed);
    expect(key.publicKey).toEqual(rawPublicKey(privateKeyOf(seed)));
    const message = new TextEncoder().encode("a message");
    expect(await key.sign(message)).toEqual(signBytes(privateKeyOf(seed), message));
  });

  test("takes no key and no signature of another length", async () => {
    await expect(ed25519.signingKey(new Uint8Array(31))).rejects.toThrow(RangeError);
    const [key, signature] = [new Uint8Array(32).fill(9), new Uint8Array(64)];
    expect(await ed25519.verify(key.subarray(1), key, signature)).toBe(false);
    expect(await ed25519.verify(key, key, signature.subarray(1))).toBe(false);
  });
});

test("a private key that cannot be exported signs", async () => {
  const pair = (await subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
  const key = await createEd25519(subtle).signingKey(pair);
  const message = new TextEncoder().encode("a message");
  expect(verifyBytes(key.publicKey, message, await key.sign(message))).toBe(true);
});
