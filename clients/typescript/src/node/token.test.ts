import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { proveRenewal, proveToken } from "./token.ts";

type Statement = Record<"vaultId" | "seed" | "signature", string>;
type Vectors = {
  readonly enrollmentStatement: Statement & { readonly admittedPublicKey: string };
  readonly loginStatement: Statement & { readonly admittedPublicKey: string };
  readonly renewalStatement: Statement & {
    readonly oldPublicKey: string;
    readonly newPublicKey: string;
  };
};

const file = new URL("../../../../test/vectors/signing/tokens.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as Vectors;
const bytes = (text: string) => new Uint8Array(Buffer.from(text, "base64"));
const text = (value: Uint8Array) => Buffer.from(value).toString("base64");

test.each(["enr", "login"] as const)("SIGNING §8: a token of kind %s admits a key", (kind) => {
  const vector = kind === "enr" ? vectors.enrollmentStatement : vectors.loginStatement;
  const { proof } = proveToken(
    kind,
    vector.vaultId,
    bytes(vector.seed),
    bytes(vector.admittedPublicKey),
  );
  expect(text(proof)).toBe(vector.signature);
});

test("SIGNING §8: a new key takes the place of the present one", () => {
  const { vaultId, oldPublicKey, newPublicKey, seed, signature } = vectors.renewalStatement;
  const proven = proveRenewal(vaultId, bytes(oldPublicKey), bytes(seed));
  expect(text(proven.newPublicKey)).toBe(newPublicKey);
  expect(text(proven.proof)).toBe(signature);
});
