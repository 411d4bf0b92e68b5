import { create } from "@bufbuild/protobuf";
import { SignedRequestSchema } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { contentDigest, signatureParams } from "@sallyport/proto/signing";
import { expect, test } from "vitest";
import { signerOf } from "./signer.ts";

const nowMs = 1_764_000_000_000;
const trust = { notAfterMs: nowMs + 1, publicKey: () => undefined };

function signedBy(keyId: string) {
  const body = new Uint8Array();
  const params = signatureParams({ created: nowMs / 1000, nonce: "AAAAAAAAAAAAAAAAAAAAAA", keyId });
  return create(SignedRequestSchema, {
    method: "POST",
    authority: "sallyport.example",
    path: "/a.B/C",
    contentType: "application/json",
    contentDigest: contentDigest(body),
    signatureInput: `sp=${params}`,
    signature: `sp=:${Buffer.alloc(64).toString("base64")}:`,
    body,
  });
}

test("a key that spells itself out is found without a credential", () => {
  const publicKey = new Uint8Array(32).fill(5);
  const keyId = `key:${Buffer.from(publicKey).toString("base64url")}`;
  expect(signerOf({ signedRequest: signedBy(keyId) }, trust, nowMs)).toEqual({ publicKey, keyId });
});

test("nobody is found without a request, nor by an enrolled keyid alone", () => {
  expect(() => signerOf({}, trust, nowMs)).toThrow("signature: there is no request");
  const signedRequest = signedBy("mch_0123456789abcdefghjk");
  expect(() => signerOf({ signedRequest }, trust, nowMs)).toThrow("credential: it is missing");
});
