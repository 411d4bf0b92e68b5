import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { KeysetSchema } from "../gen/sallyport/evidence/v1/evidence_pb.ts";
import { openKeyset } from "./keyset.ts";

type Signed = { readonly payload: string; readonly signature: string };
type Vector = Signed & {
  readonly name: string;
  readonly rootPublicKey: string;
  readonly signer?: Signed;
};
type File = {
  readonly rootFingerprint: string;
  readonly nowSeconds: number;
  readonly smallestEpoch: number;
  readonly keysetsValid: readonly Vector[];
  readonly keysetsInvalid: readonly (Vector & { readonly step: string })[];
};

const path = new URL("../../test/vectors/signing/replies.json", import.meta.url);
const file = JSON.parse(readFileSync(path, "utf8")) as File;

const bytes = (text: string): Buffer => Buffer.from(text, "base64");

function holds(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const x = Buffer.from(publicKey).toString("base64url");
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  return verify(null, message, key, signature);
}

function open({ payload, rootPublicKey, signature, signer }: Vector) {
  const keyset = create(KeysetSchema, {
    payload: bytes(payload),
    rootPublicKey: bytes(rootPublicKey),
    signature: bytes(signature),
    ...(signer && {
      signer: { payload: bytes(signer.payload), signature: bytes(signer.signature) },
    }),
  });
  return openKeyset(
    keyset,
    file.rootFingerprint,
    file.nowSeconds * 1000,
    file.smallestEpoch,
    holds,
  );
}

test.each(file.keysetsValid)("a keyset that holds: $name", (vector) => {
  const { claims, signer, notAfterMs, signerNotAfterMs } = open(vector);
  expect(claims.epoch).toBeGreaterThanOrEqual(file.smallestEpoch);
  expect(signer.maxEpoch).toBeGreaterThanOrEqual(claims.epoch);
  expect(notAfterMs).toBeLessThanOrEqual(signerNotAfterMs);
});

test.each(file.keysetsInvalid)("a keyset refused at $step: $name", (vector) => {
  expect(() => open(vector)).toThrow(expect.objectContaining({ step: vector.step }));
});

test("no keyset is refused as one of another root", () => {
  expect(() => openKeyset(undefined, file.rootFingerprint, 0, 1, holds)).toThrow(
    "there is no keyset",
  );
});
