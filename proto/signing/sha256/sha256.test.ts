import { createHash } from "node:crypto";
import { sha256 as chosen } from "#sha256";
import { expect, test } from "vitest";
import { sha256 as node } from "./node.ts";
import { sha256 as portable } from "./portable.ts";

test.each([0, 1, 55, 56, 63, 64, 65, 1000, 98_304])("%i bytes have one digest", (length) => {
  const bytes = Uint8Array.from({ length }, (_, index) => index % 251);
  const digest = new Uint8Array(createHash("sha256").update(bytes).digest());
  expect(node(bytes)).toEqual(digest);
  expect(portable(bytes)).toEqual(digest);
});

test("in Node it is Node's own", () => {
  expect(chosen).toBe(node);
});
