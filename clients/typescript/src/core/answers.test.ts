import { readFileSync } from "node:fs";
import { create, fromBinary } from "@bufbuild/protobuf";
import {
  KeysetSchema,
  SignedAnswerSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { answerOwnerOf } from "@sallyport/proto/signing";
import { expect, test } from "vitest";
import { type AskedOwner, readAnswerHeader, verifyContent, verifyRefusal } from "./answer.ts";
import { verifyKeyset } from "./keyset.ts";

type Vector = { readonly name: string; readonly section: string; readonly path: string };
type Content = Vector & { readonly header: string; readonly content: string };
type Refusal = Vector & {
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly answer: string;
};
type Signed = { readonly payload: string; readonly signature: string };
type Step = { readonly step: string };
type File = {
  readonly rootFingerprint: string;
  readonly nowSeconds: number;
  readonly keyset: Signed & { readonly rootPublicKey: string; readonly signer: Signed };
  readonly requestDigest: string;
  readonly methods: readonly { readonly path: string; readonly owner: string }[];
  readonly contentsValid: readonly Content[];
  readonly contentsInvalid: readonly (Content & Step)[];
  readonly refusalsValid: readonly (Refusal & { readonly vouched: boolean })[];
  readonly refusalsInvalid: readonly (Refusal & Step)[];
};

const path = new URL("../../../../test/vectors/signing/answers.json", import.meta.url);
const file = JSON.parse(readFileSync(path, "utf8")) as File;
const base64 = (text: string) => new Uint8Array(Buffer.from(text, "base64"));
const keyset = create(KeysetSchema, {
  payload: base64(file.keyset.payload),
  rootPublicKey: base64(file.keyset.rootPublicKey),
  signature: base64(file.keyset.signature),
  signer: {
    payload: base64(file.keyset.signer.payload),
    signature: base64(file.keyset.signer.signature),
  },
});
const keys = await verifyKeyset(keyset, file.rootFingerprint, file.nowSeconds * 1000);

/** What a client says of each step of SIGNING §11. */
const sentences: Readonly<Record<string, RegExp>> = {
  "answer-missing": /did not sign|signature is malformed/,
  "answer-signature": /signature of \w+ does not hold/,
  "answer-form": /not as the contract says/,
  "answer-digest": /answers another request/,
  "answer-outcome": /(did not refuse|refused) the request/,
  "answer-content": /not what \w+ signed/,
  "answer-refusal": /not the refusal that \w+ signed/,
};

function asked(of: string): AskedOwner {
  const owner = answerOwnerOf(of);
  if (!owner || owner === "itself") throw new Error("no owner answers that");
  return { owner, requestDigest: new Uint8Array(Buffer.from(file.requestDigest, "hex")) };
}

async function verify({ path: of, header, content }: Content): Promise<void> {
  await verifyContent(
    readAnswerHeader(header === "" ? null : header, asked(of)),
    base64(content),
    asked(of),
    keys,
  );
}

async function refuse({ path: of, answer, reason, metadata }: Refusal): Promise<boolean> {
  const signed = answer === "" ? undefined : fromBinary(SignedAnswerSchema, base64(answer));
  return verifyRefusal(signed, { reason, metadata }, asked(of), keys);
}

const untrusted = (step: string) =>
  expect.objectContaining({
    reason: "REPLY_UNTRUSTED",
    message: expect.stringMatching(sentences[step] ?? step) as string,
  }) as Error;

test.each(file.methods)("the answers of $path are signed by $owner", ({ path: of, owner }) => {
  expect(answerOwnerOf(of) ?? "none").toBe(owner);
});

test.each(file.contentsValid)("an answer that holds: $name", async (vector) => {
  await expect(verify(vector)).resolves.toBeUndefined();
});

test.each(file.contentsInvalid)(
  "SIGNING §$section, an answer refused at $step: $name",
  async (vector) => {
    await expect(verify(vector)).rejects.toThrow(untrusted(vector.step));
  },
);

test.each(file.refusalsValid)("a refusal that holds: $name", async (vector) => {
  expect(await refuse(vector)).toBe(vector.vouched);
});

test.each(file.refusalsInvalid)(
  "SIGNING §$section, a refusal refused at $step: $name",
  async (vector) => {
    await expect(refuse(vector)).rejects.toThrow(untrusted(vector.step));
  },
);
