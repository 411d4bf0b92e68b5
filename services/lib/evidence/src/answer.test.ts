import { createHash } from "node:crypto";
import { create, fromBinary } from "@bufbuild/protobuf";
import { Reason, RefusalSchema } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { AnswerClaimsSchema } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { labelled } from "@sallyport/proto/signing";
import { expect, test } from "vitest";
import { pickAnswerKey, signAnswer } from "./answer.ts";
import { publicKeyOf, verifyEd25519 } from "./ed25519.ts";

const first = { keyId: "answer-1", key: new Uint8Array(32).fill(1) };
const second = { keyId: "answer-2", key: new Uint8Array(32).fill(2) };
const requestDigest = new Uint8Array(32).fill(3);
const key = { keyId: first.keyId, seed: first.key, epoch: 7 };
/** A keyset that names keys of policy, the preferred one first. */
const naming = (...named: readonly (typeof first)[]) => ({
  epoch: 7,
  answerKey(owner: string, keyId: string) {
    const found = named.find((each) => owner === "policy" && each.keyId === keyId);
    return found && publicKeyOf(found.key);
  },
  preferredAnswer: () => named[0],
});

test("of the keys of a file that one signs which the keyset prefers, else the newest that it names", () => {
  const pick = (keys: readonly (typeof first)[], ...named: readonly (typeof first)[]) =>
    pickAnswerKey(keys, "policy", naming(...named)).keyId;
  expect(pickAnswerKey([first], "policy", naming(first))).toEqual(key);
  // A new key is in the file before the keyset names it, and an old one after it names it no more.
  expect(pick([second, first], first)).toBe("answer-1");
  expect(pick([second, first], first, second)).toBe("answer-1");
  expect(pick([second, first], second, first)).toBe("answer-2");
  expect(pick([second, first], second)).toBe("answer-2");
  // The keyset arrived before the file, or the file before the keyset.
  expect(pick([first], second, first)).toBe("answer-1");
  expect(pick([second], first, second)).toBe("answer-2");
});

test("a key that the keyset does not name as this owner's signs nothing", () => {
  const other = { ...first, key: second.key };
  for (const [keys, owner] of [
    [[second], "policy"],
    [[other], "policy"],
    [[first], "identity"],
  ] as const)
    expect(() => pickAnswerKey(keys, owner, naming(first))).toThrow(
      "the keyset does not hold the answer key",
    );
  expect(() => pickAnswerKey([], "policy", naming(first))).toThrow(
    "SALLYPORT_ANSWER_KEY_FILE holds no key",
  );
});

test("a response is signed by its hash, a refusal as it is", () => {
  const response = new TextEncoder().encode("bytes");
  const signed = signAnswer(requestDigest, { case: "response", value: response }, key);
  const preimage = labelled("sallyport-answer-v1", signed.payload);
  expect(verifyEd25519(publicKeyOf(first.key), preimage, signed.signature)).toBe(true);
  expect(signed.keyId).toBe("answer-1");
  expect(fromBinary(AnswerClaimsSchema, signed.payload)).toMatchObject({
    requestDigest,
    keysetEpoch: 7,
    outcome: {
      case: "contentSha256",
      value: new Uint8Array(createHash("sha256").update(response).digest()),
    },
  });
  const refusal = create(RefusalSchema, { reason: Reason.NOT_FOUND, metadata: { field: "name" } });
  const refused = signAnswer(requestDigest, { case: "refusal", value: refusal }, key);
  expect(fromBinary(AnswerClaimsSchema, refused.payload).outcome).toMatchObject({
    case: "refusal",
    value: { reason: Reason.NOT_FOUND, metadata: { field: "name" } },
  });
});

test("what breaks the contract is not signed", () => {
  const short = new Uint8Array(31);
  expect(() => signAnswer(short, { case: "response", value: short }, key)).toThrow(
    "request_digest",
  );
  const unspecified = create(RefusalSchema, {});
  expect(() => signAnswer(requestDigest, { case: "refusal", value: unspecified }, key)).toThrow(
    "reason",
  );
});
