import { expect, test } from "vitest";
import { separatePem } from "./pem.ts";

const one = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
const two = "-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----";

test.each([
  ["joined without a line end between", one + two],
  ["joined with one", `${one}\n${two}\n`],
  ["with line ends of Windows", `${one}\r\n${two}\r\n`],
  ["with text before, between and after", `subject=a\n${one} x\nissuer=b\n${two}trailing`],
])("blocks %s are told apart", (_, text) => {
  expect(separatePem(text)).toBe(`${one}\n${two}\n`);
});

test.each(["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA"])("%j stays as it is", (text) => {
  expect(separatePem(text)).toBe(text);
});
