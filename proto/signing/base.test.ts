import { createHmac, createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { FormatError, baseOf, parseSignatureInput, requestDigest, signatureBase } from "./index.ts";

type Standard = {
  readonly name: string;
  readonly algorithm: "ed25519" | "hmac-sha256";
  readonly key: string;
  readonly components: [string, string][];
  readonly params: string;
  readonly base: string;
  readonly signature: string;
};
type Covered = Record<
  "method" | "authority" | "path" | "contentType" | "contentDigest" | "signatureInput",
  string
>;
type Valid = {
  readonly name: string;
  readonly request: Covered;
  readonly base: string;
  readonly requestDigest: string;
};

function load(name: string): unknown {
  return JSON.parse(
    readFileSync(new URL(`../../test/vectors/signing/${name}.json`, import.meta.url), "utf8"),
  );
}

const spkiPrefix = Buffer.from("302a300506032b6570032100", "hex");

function holds({ algorithm, key, signature }: Standard, base: Uint8Array): boolean {
  const keyBytes = Buffer.from(key, "base64");
  const given = Buffer.from(signature, "base64");
  if (algorithm === "hmac-sha256")
    return createHmac("sha256", keyBytes).update(base).digest().equals(given);
  const publicKey = createPublicKey({
    key: Buffer.concat([spkiPrefix, keyBytes]),
    format: "der",
    type: "spki",
  });
  return verify(null, base, publicKey, given);
}

describe("SIGNING §4", () => {
  test.each((load("rfc9421") as { cases: Standard[] }).cases)("RFC 9421 $name", (standard) => {
    const base = baseOf(standard.components, standard.params);
    expect(new TextDecoder().decode(base)).toBe(standard.base);
    expect(holds(standard, base)).toBe(true);
  });

  test.each((load("requests-valid") as { requests: Valid[] }).requests)(
    "base and digest: $name",
    (vector) => {
      const { signatureParams } = parseSignatureInput(vector.request.signatureInput);
      const base = signatureBase({ ...vector.request, signatureParams });
      expect(new TextDecoder().decode(base)).toBe(vector.base);
      expect(Buffer.from(requestDigest(base)).toString("hex")).toBe(vector.requestDigest);
    },
  );

  test.each(["a\nb", "a\rb", "a\0b", "ä", "\u007f"])(
    "a value cannot break out of its line: %j",
    (value) => {
      expect(() => baseOf([["@path", value]], "()")).toThrow(FormatError);
      expect(() => baseOf([[value, "x"]], "()")).toThrow(FormatError);
      expect(() => baseOf([], value)).toThrow(FormatError);
    },
  );
});
