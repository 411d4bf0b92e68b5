import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  KeyUse,
  KeysetClaimsSchema,
  KeysetSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { keysetPreimage, labelled, rootFingerprint } from "@sallyport/proto/signing";
import { expect, test } from "vitest";
import { publicKeyOf, signEd25519 } from "./ed25519.ts";
import { loadTrust } from "./trust.ts";

const nowMs = 1_764_000_000_000;
const rootSeed = new Uint8Array(32).fill(9);
const rootPublicKey = publicKeyOf(rootSeed);
const pinned = rootFingerprint(rootPublicKey);
const keys = [KeyUse.CREDENTIAL, KeyUse.SEALING, KeyUse.REPLY, KeyUse.LOG].map((use) => ({
  keyId: `key-${use}`,
  use,
  publicKey: new Uint8Array(32).fill(use),
}));
const newer = { keyId: "key-9", use: KeyUse.REPLY, publicKey: new Uint8Array(32).fill(9) };
const answers = (["identity", "policy", "secrets", "audit"] as const).map((holder, at) => ({
  keyId: `answer-${holder}`,
  use: KeyUse.ANSWER,
  holder,
  publicKey: new Uint8Array(32).fill(10 + at),
}));
const all = [...keys, ...answers, newer];
const claims = { epoch: 1, notAfter: timestampFromMs(nowMs + 1), keys: all };
const without = (unwanted: object) => ({ keys: [...all.filter((key) => key !== unwanted), spare] });
const spare = { keyId: "spare", use: KeyUse.LOG, publicKey: new Uint8Array(32) };

type Change = {
  claims?: Parameters<typeof create<typeof KeysetClaimsSchema>>[1];
  preimage?: (payload: Uint8Array) => Uint8Array;
};

function keyset({ claims: changed, preimage = keysetPreimage }: Change = {}): Uint8Array {
  const payload = toBinary(KeysetClaimsSchema, create(KeysetClaimsSchema, { ...claims, ...changed }));
  const signature = signEd25519(rootSeed, preimage(payload));
  return toBinary(KeysetSchema, create(KeysetSchema, { payload, rootPublicKey, signature }));
}

test("keys are found by use and id, the first of a use is preferred", () => {
  const trust = loadTrust(keyset(), pinned, nowMs);
  expect(trust.publicKey(KeyUse.REPLY, "key-9")).toEqual(newer.publicKey);
  expect(trust.publicKey(KeyUse.CREDENTIAL, "key-9")).toBeUndefined();
  expect(trust.preferred(KeyUse.REPLY).keyId).toBe(`key-${KeyUse.REPLY}`);
  expect(() => trust.preferred(KeyUse.UNSPECIFIED)).toThrow("the keyset has no key of use 0");
  expect(trust.epoch).toBe(1);
  expect(trust.answerKey("policy", "answer-policy")).toEqual(answers[1]?.publicKey);
  expect(trust.answerKey("identity", "answer-policy")).toBeUndefined();
});

test.each([
  ["another root", keyset(), rootFingerprint(new Uint8Array(32)), nowMs, "another root"],
  ["an unlabelled signature", keyset({ preimage: (payload) => payload }), pinned, nowMs, "signature"],
  [
    "another label",
    keyset({ preimage: (payload) => labelled("sallyport-reply-v1", payload) }),
    pinned,
    nowMs,
    "signature",
  ],
  ["past its time", keyset(), pinned, nowMs + 1, "past its time"],
  ["two keys of one name", keyset({ claims: { keys: [...all, newer] } }), pinned, nowMs, "alike"],
  ["a use without a key", keyset({ claims: without(keys[0] ?? {}) }), pinned, nowMs, "no credential key"],
  [
    "an answer key without a holder",
    keyset({ claims: { keys: [...all, { ...spare, use: KeyUse.ANSWER }] } }),
    pinned,
    nowMs,
    "names its holder",
  ],
  [
    "a holder of another key",
    keyset({ claims: { keys: [...all, { ...spare, holder: "audit" }] } }),
    pinned,
    nowMs,
    "names its holder",
  ],
  [
    "a holder that owns nothing",
    keyset({ claims: { keys: [...all, { ...spare, use: KeyUse.ANSWER, holder: "crypto" }] } }),
    pinned,
    nowMs,
    "holder",
  ],
  ["epoch 0", keyset({ claims: { epoch: 0 } }), pinned, nowMs, "epoch"],
  ["an unknown field", new Uint8Array([...keyset(), 0xf8, 0x07, 0x01]), pinned, nowMs, "unknown fields"],
  ["other bytes", new Uint8Array([1, 2, 3]), pinned, nowMs, "malformed"],
])("a keyset is refused: %s", (_, bytes, fingerprint, now, message) => {
  expect(() => loadTrust(bytes, fingerprint, now)).toThrow(message);
});

test.each(answers)("a keyset is refused: no answer key of $holder", (key) => {
  expect(() => loadTrust(keyset({ claims: without(key) }), pinned, nowMs)).toThrow(
    `no answer key of ${key.holder}`,
  );
});
