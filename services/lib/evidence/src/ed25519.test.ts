import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { publicKeyOf, signEd25519, verifyEd25519 } from "./ed25519.ts";

type Case = {
  readonly name: string;
  readonly class: string;
  readonly publicKey: string;
  readonly message: string;
  readonly signature: string;
  readonly valid: boolean;
};

const file = new URL("../../../../test/vectors/signing/ed25519.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(file, "utf8")) as { cases: Case[] };
const bytes = (hex: string): Buffer => Buffer.from(hex, "hex");
const spkiPrefix = bytes("302a300506032b6570032100");

function nodeVerdict({ publicKey, message, signature }: Case): boolean {
  try {
    const key = createPublicKey({
      key: Buffer.concat([spkiPrefix, bytes(publicKey)]),
      format: "der",
      type: "spki",
    });
    return verify(null, bytes(message), key, bytes(signature));
  } catch {
    return false;
  }
}

test.each(cases)(
  "SIGNING §7, $class: $name is $valid",
  ({ publicKey, message, signature, valid }) => {
    expect(verifyEd25519(bytes(publicKey), bytes(message), bytes(signature))).toBe(valid);
  },
);

test.each(cases)("node:crypto agrees, $class: $name", (vector) => {
  expect(nodeVerdict(vector)).toBe(vector.valid);
});

test("what is signed verifies under the seed's public key", () => {
  const seed = bytes("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
  const message = new TextEncoder().encode("message");
  expect(verifyEd25519(publicKeyOf(seed), message, signEd25519(seed, message))).toBe(true);
});

test("lengths that are wrong are not valid, and no seed", () => {
  expect(verifyEd25519(new Uint8Array(31), new Uint8Array(), new Uint8Array(64))).toBe(false);
  expect(verifyEd25519(new Uint8Array(32), new Uint8Array(), new Uint8Array(63))).toBe(false);
  expect(() => signEd25519(new Uint8Array(31), new Uint8Array())).toThrow(
    new RangeError("an Ed25519 seed has 32 bytes"),
  );
});
