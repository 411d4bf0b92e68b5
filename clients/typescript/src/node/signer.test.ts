import {
  parseSignature,
  parseSignatureInput,
  requestDigest,
  signatureBase,
  contentDigest,
} from "@sallyport/proto/signing";
import { expect, test } from "vitest";
import { newSeed, verifyBytes } from "../node/keys.ts";
import { createSigner } from "./signer.ts";

const target = {
  authority: "LOCALHOST:443",
  path: "/sallyport.gateway.v1.ReadService/ReadSecrets",
  contentType: "application/json",
};
const machineId = "mch_00000000000000000000";
const nowMs = 1_800_000_000_999;

test("what is signed verifies over the base that a server rebuilds, authority normalised", () => {
  const signer = createSigner(newSeed(), machineId, () => nowMs);
  const body = Buffer.from("{}");
  const { headers, requestDigest: digest } = signer.sign(target, body);
  const { created, keyId, signatureParams } = parseSignatureInput(headers["signature-input"]);
  expect({ created, keyId }).toEqual({ created: 1_800_000_000, keyId: machineId });
  expect(headers["content-digest"]).toBe(contentDigest(body));
  const base = signatureBase({
    method: "POST",
    authority: "localhost",
    path: target.path,
    contentType: target.contentType,
    contentDigest: contentDigest(body),
    signatureParams,
  });
  expect(verifyBytes(signer.publicKey, base, parseSignature(headers.signature))).toBe(true);
  expect(digest).toEqual(requestDigest(base));
});

test("no two signatures are alike: every attempt has its own nonce", () => {
  const signer = createSigner(newSeed(), machineId);
  const inputs = Array.from(
    { length: 100 },
    () => signer.sign(target, Buffer.alloc(0)).headers["signature-input"],
  );
  expect(new Set(inputs).size).toBe(100);
});

test("without a keyid it signs as the key itself", () => {
  const signer = createSigner(newSeed());
  expect(signer.keyId).toBe(`key:${Buffer.from(signer.publicKey).toString("base64url")}`);
});
