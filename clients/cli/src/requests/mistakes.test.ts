import { createHash } from "node:crypto";
import { newSeed, privateKeyOf, rawPublicKey, signBytes } from "@sallyport/client";
import { parseRequest } from "@sallyport/proto/verifying";
import { expect, test } from "vitest";
import { likelyMistake } from "./mistakes.ts";

const key = privateKeyOf(newSeed());
const head = {
  method: "POST",
  authority: "vault.example:8443",
  path: "/sallyport.gateway.v1.ReadService/ReadSecrets",
  contentType: "application/json",
  contentDigest: `sha-256=:${createHash("sha256").digest("base64")}:`,
  signatureInput:
    'sp=("@method" "@authority" "@path" "content-type" "content-digest");created=1796077404;nonce="PELbGnJuFlQGG34Lt-uh9g";keyid="mch_0123456789abcdefghjk";alg="ed25519";tag="sallyport-v1"',
};

/** A request whose signature is over what a mistake makes of the base. */
function signedOver(change: (base: Buffer) => Uint8Array) {
  const right = parseRequest({ ...head, signature: `sp=:${Buffer.alloc(64).toString("base64")}:` });
  return { ...right, signature: signBytes(key, change(Buffer.from(right.base))) };
}

const text = (change: (base: string) => string) => (base: Buffer) =>
  Buffer.from(change(base.toString()));

test.each([
  ["a line feed behind it", text((base) => `${base}\n`)],
  ["carriage returns", text((base) => base.replaceAll("\n", "\r\n"))],
  ["the label sp=", text((base) => base.replace('params": (', 'params": sp=('))],
  ["no port", text((base) => base.replace(":8443", ""))],
  ["port 443", text((base) => base.replace(":8443", ":8443:443"))],
  ["https://", text((base) => base.replace("vault.", "https://vault."))],
  ["lower case", text((base) => base.replace("POST", "post"))],
  ["without quotes", text((base) => base.replaceAll(/^"([^"]+)"/gm, "$1"))],
  [
    "parameters first",
    text((base) =>
      base
        .split("\n")
        .toSpliced(0, 0, base.split("\n")[5] ?? "")
        .slice(0, 6)
        .join("\n"),
    ),
  ],
  ["SHA-256", (base: Buffer) => createHash("sha256").update(base).digest()],
  ["SHA-512", (base: Buffer) => createHash("sha512").update(base).digest()],
] as const)("%s is told as what was signed", (mistake, change) => {
  expect(likelyMistake(signedOver(change), rawPublicKey(key))).toContain(mistake);
});

test("a signature over something else is not explained away", () => {
  const other = signedOver(() => Buffer.from("something else"));
  expect(likelyMistake(other, rawPublicKey(key))).toMatch(
    /^it is another key's, or over another text/,
  );
});
