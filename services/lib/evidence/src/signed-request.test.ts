import { readFileSync } from "node:fs";
import { create } from "@bufbuild/protobuf";
import {
  type SignedRequest,
  SignedRequestSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { contentDigest, signatureBase, signatureParams } from "@sallyport/proto/signing";
import { expect, test } from "vitest";
import { publicKeyOf, signEd25519 } from "./ed25519.ts";
import { EvidenceError, parseRequest } from "@sallyport/proto/verifying";
import { verifySignedRequest } from "./signed-request.ts";

type Vector = {
  readonly name: string;
  readonly publicKey: string;
  readonly keyId: string;
  readonly request: Omit<SignedRequest, "body" | "$typeName" | "$unknown"> & {
    readonly body: string;
  };
};
type File<V> = {
  readonly windowSeconds: number;
  readonly authorities: string[];
  readonly requests: V[];
};

function load(name: string): unknown {
  const file = new URL(`../../../../test/vectors/signing/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, "utf8"));
}

const valid = load("requests-valid") as File<Vector & { readonly requestDigest: string }> & {
  readonly nowSeconds: number;
};
const invalid = load("requests-invalid") as File<
  Vector & { readonly step: string; readonly nowSeconds: number }
>;

const signedOf = ({ request }: Vector): SignedRequest =>
  create(SignedRequestSchema, { ...request, body: Buffer.from(request.body, "base64") });

const expectedOf = (vector: Vector, file: File<unknown>, nowSeconds: number) => ({
  publicKey: Buffer.from(vector.publicKey, "base64"),
  keyId: vector.keyId,
  authorities: file.authorities,
  windowSeconds: file.windowSeconds,
  nowMs: nowSeconds * 1000,
});

function stepOf(run: () => unknown): string {
  try {
    run();
    return "none";
  } catch (error) {
    return error instanceof EvidenceError ? error.step : String(error);
  }
}

test.each(valid.requests)("verified: $name", (vector) => {
  const verified = verifySignedRequest(
    signedOf(vector),
    expectedOf(vector, valid, valid.nowSeconds),
  );
  expect(Buffer.from(verified.digest).toString("hex")).toBe(vector.requestDigest);
  expect(verified).toMatchObject({
    keyId: vector.keyId,
    path: vector.request.path,
    createdSeconds: valid.nowSeconds,
  });
});

test.each(invalid.requests)("refused at $step: $name", (vector) => {
  const expected = expectedOf(vector, invalid, vector.nowSeconds);
  expect(stepOf(() => verifySignedRequest(signedOf(vector), expected))).toBe(vector.step);
});

test.each([-60, 60])("the window's edge, %i s, is inside", (offset) => {
  const [vector] = valid.requests;
  if (!vector) throw new Error("no vector");
  const at = (seconds: number) =>
    stepOf(() =>
      verifySignedRequest(signedOf(vector), expectedOf(vector, valid, valid.nowSeconds + seconds)),
    );
  expect(at(offset)).toBe("none");
  expect(at(offset + Math.sign(offset) / 1000)).toBe("created");
});

test.each([
  ["content-type: it is not accepted", { contentType: "text/plain" }],
  ["content-digest: it is not one SHA-256", { contentDigest: "md5=:AA==:" }],
])("the log is told of the form that %s", (message, change) => {
  const [vector] = valid.requests;
  if (!vector) throw new Error("no vector");
  expect(() => parseRequest({ ...signedOf(vector), ...change })).toThrow(message);
});

test.each([
  ["signature", "it does not hold"],
  ["method", "it is not POST"],
  ["authority", "it is not ours"],
  ["path", "it is not a method's path"],
  ["created", "it is outside the window"],
  ["content-digest", "it is another body's"],
  ["binding", "the keyid is another one's"],
])("the log is told at %s that %s", (step, why) => {
  const said = invalid.requests.map((vector) => {
    const expected = expectedOf(vector, invalid, vector.nowSeconds);
    try {
      return verifySignedRequest(signedOf(vector), expected);
    } catch (error) {
      return String(error);
    }
  });
  expect(said).toContain(`EvidenceError: ${step}: ${why}`);
});

test("any byte of any covered part changed is refused", () => {
  const [vector] = valid.requests;
  if (!vector) throw new Error("no vector");
  const signed = signedOf(vector);
  const expected = expectedOf(vector, valid, valid.nowSeconds);
  for (const part of [
    "method",
    "authority",
    "path",
    "contentType",
    "contentDigest",
    "signatureInput",
    "signature",
  ] as const) {
    for (let index = 0; index < signed[part].length; index += 1) {
      const changed = flipped(signed[part], index);
      expect(
        stepOf(() => verifySignedRequest({ ...signed, [part]: changed }, expected)),
        `${part} ${index}`,
      ).not.toBe("none");
    }
  }
});

function flipped(text: string, index: number): string {
  return (
    text.slice(0, index) + String.fromCharCode(text.charCodeAt(index) ^ 1) + text.slice(index + 1)
  );
}

test("parsing checks form only, and names the step", () => {
  const [vector] = valid.requests;
  if (!vector) throw new Error("no vector");
  const signed = signedOf(vector);
  expect(Buffer.from(parseRequest(signed).digest).toString("hex")).toBe(vector.requestDigest);
  expect(stepOf(() => parseRequest({ ...signed, contentType: "text/plain" }))).toBe("content-type");
  expect(stepOf(() => parseRequest({ ...signed, contentDigest: "md5=:AA==:" }))).toBe(
    "content-digest",
  );
  expect(stepOf(() => parseRequest({ ...signed, signatureInput: "sp=()" }))).toBe("signature");
  expect(stepOf(() => parseRequest({ ...signed, signature: "sp=:AA==:" }))).toBe("signature");
});

test("an authority that is none is refused as such, however well it is signed", () => {
  const seed = new Uint8Array(32).fill(7);
  const keyId = "mch_0123456789abcdefghjk";
  const body = new Uint8Array();
  const params = signatureParams({
    created: valid.nowSeconds,
    nonce: "AAAAAAAAAAAAAAAAAAAAAA",
    keyId,
  });
  const covered = {
    method: "POST",
    authority: "localhost:99999",
    path: "/a.B/C",
    contentType: "application/json",
    contentDigest: contentDigest(body),
  };
  const signature = signEd25519(seed, signatureBase({ ...covered, signatureParams: params }));
  const signed = create(SignedRequestSchema, {
    ...covered,
    signatureInput: `sp=${params}`,
    signature: `sp=:${Buffer.from(signature).toString("base64")}:`,
    body,
  });
  const expected = {
    publicKey: publicKeyOf(seed),
    keyId,
    authorities: valid.authorities,
    windowSeconds: 60,
    nowMs: valid.nowSeconds * 1000,
  };
  expect(stepOf(() => verifySignedRequest(signed, expected))).toBe("authority");
});
