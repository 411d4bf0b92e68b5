import { expect, test } from "vitest";
import { isId } from "../ids/id.ts";
import { newSecretId, secretIdOf } from "./secret-id.ts";

const vault = "vlt_00000000000000000000";

test("is the one of the specification", () => {
  expect(
    secretIdOf(
      vault,
      Uint8Array.from({ length: 16 }, (_, index) => index),
    ),
  ).toBe("sec_9hgn10nevznwjbxxcedk");
});

test("is a secret's id, new each time, and shown by its nonce in its own vault alone", () => {
  const drawn = Array.from({ length: 500 }, () => newSecretId(vault));
  expect(new Set(drawn.map(({ secretId }) => secretId)).size).toBe(500);
  for (const { secretId, idNonce } of drawn) {
    expect(isId("sec", secretId)).toBe(true);
    expect(secretIdOf(vault, idNonce)).toBe(secretId);
    expect(secretIdOf("vlt_00000000000000000001", idNonce)).not.toBe(secretId);
  }
  expect(new Set(drawn.flatMap(({ secretId }) => Array.from(secretId.slice(4)))).size).toBe(32);
});

test("is derived from 16 bytes and no other number of them", () => {
  for (const length of [0, 15, 17, 32])
    expect(() => secretIdOf(vault, new Uint8Array(length))).toThrow(/16 bytes/);
});
