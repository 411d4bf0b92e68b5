import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  FormatError,
  contentDigest,
  normaliseAuthority,
  parseKeyId,
  parseSignature,
  parseSignatureInput,
  signatureParams,
} from "./index.ts";

type Named = { readonly name: string; readonly section: string; readonly header: string };
type Request = {
  readonly signatureInput: string;
  readonly signature: string;
  readonly contentDigest: string;
  readonly body: string;
};

function load(name: string): unknown {
  return JSON.parse(
    readFileSync(new URL(`../../test/vectors/signing/${name}.json`, import.meta.url), "utf8"),
  );
}

const invalid = load("headers-invalid") as { signatureInput: Named[]; signature: Named[] };
const valid = load("requests-valid") as {
  requests: { name: string; keyId: string; request: Request }[];
};
const authorities = load("authority") as { cases: { input: string; normal: string | null }[] };

describe("SIGNING §3", () => {
  test.each(invalid.signatureInput)("Signature-Input refused: $name", ({ header }) => {
    expect(() => parseSignatureInput(header)).toThrow(FormatError);
  });

  test.each(invalid.signature)("Signature refused: $name", ({ header }) => {
    expect(() => parseSignature(header)).toThrow(FormatError);
  });

  test.each(valid.requests)("headers read: $name", ({ keyId, request }) => {
    const parsed = parseSignatureInput(request.signatureInput);
    expect(parsed.keyId).toBe(keyId);
    expect(`sp=${parsed.signatureParams}`).toBe(request.signatureInput);
    expect(`sp=:${Buffer.from(parseSignature(request.signature)).toString("base64")}:`).toBe(
      request.signature,
    );
    expect(contentDigest(Buffer.from(request.body, "base64"))).toBe(request.contentDigest);
  });

  test("what a signer writes, a verifier reads", () => {
    const parameters = {
      created: 1_764_000_000,
      nonce: "A".repeat(22),
      keyId: "mch_0123456789abcdefghjk",
    };
    const written = signatureParams(parameters);
    expect(parseSignatureInput(`sp=${written}`)).toEqual({
      ...parameters,
      signatureParams: written,
    });
  });

  test("a signer cannot write what a verifier refuses", () => {
    const parameters = {
      created: 1_764_000_000,
      nonce: "A".repeat(22),
      keyId: "mch_0123456789abcdefghjk",
    };
    expect(() => signatureParams({ ...parameters, created: 1.5 })).toThrow(FormatError);
    expect(() => signatureParams({ ...parameters, nonce: "short" })).toThrow(FormatError);
    expect(() => signatureParams({ ...parameters, keyId: "mch_" })).toThrow(FormatError);
  });

  test("a new key is spelled out in its keyid", () => {
    const publicKey = new Uint8Array(32).fill(7);
    const keyId = `key:${Buffer.from(publicKey).toString("base64url")}`;
    expect(parseKeyId(keyId)).toEqual({ kind: "newKey", publicKey });
  });
});

describe("SIGNING §2", () => {
  test.each(authorities.cases)("authority $input is $normal", ({ input, normal }) => {
    if (normal === null) expect(() => normaliseAuthority(input)).toThrow(FormatError);
    else expect(normaliseAuthority(input)).toBe(normal);
  });
});
