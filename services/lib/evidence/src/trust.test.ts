import { randomBytes } from "node:crypto";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { KeyUse } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { type AnswerOwner, answerOwners, rootFingerprint } from "@sallyport/proto/signing";
import { keysOfEveryUse, signTestKeyset } from "@sallyport/test/infra";
import { expect, test } from "vitest";
import { publicKeyOf } from "./ed25519.ts";
import { loadTrust } from "./trust.ts";

type AnswerKey = (typeof keysOfEveryUse)[number] & { readonly holder?: AnswerOwner };

const nowMs = 1_764_000_000_000;
const rootSeed = randomBytes(32);
const pinned = rootFingerprint(publicKeyOf(rootSeed));
const newer = { keyId: "key-9", use: KeyUse.REPLY, publicKey: new Uint8Array(32).fill(9) };
const claims = { epoch: 2, notAfter: timestampFromMs(nowMs + 1), keys: [...keysOfEveryUse, newer] };
const keyset = signTestKeyset(rootSeed, claims);

test("keys are found by use and id, the first of a use is preferred", () => {
  const trust = loadTrust(keyset, pinned, nowMs);
  expect(trust.publicKey(KeyUse.REPLY, "key-9")).toEqual(newer.publicKey);
  expect(trust.publicKey(KeyUse.CREDENTIAL, "key-9")).toBeUndefined();
  expect(trust.preferred(KeyUse.REPLY).keyId).toBe(`key-${KeyUse.REPLY}`);
  expect(() => trust.preferred(KeyUse.UNSPECIFIED)).toThrow("the keyset has no key of use 0");
  expect(trust).toMatchObject({ epoch: 2, notAfterMs: nowMs + 1, signerNotAfterMs: nowMs + 1 });
});

// Every step has its vectors in proto/signing/keyset.test.ts: here it is shown that the steps are
// taken.
test.each<[string, Uint8Array, string, number, number, string]>([
  [
    "another root",
    keyset,
    rootFingerprint(new Uint8Array(32)),
    nowMs,
    1,
    "check SALLYPORT_ROOT_FINGERPRINT",
  ],
  ["an epoch that goes back", keyset, pinned, nowMs, 3, "older than one already seen"],
  ["a signer past its time", keyset, pinned, nowMs + 1, 1, "past its time"],
  [
    "an unknown field",
    new Uint8Array([...keyset, 0xf8, 0x07, 0x01]),
    pinned,
    nowMs,
    1,
    "unknown fields",
  ],
  ["other bytes", new Uint8Array([1, 2, 3]), pinned, nowMs, 1, "malformed"],
  [
    "a byte changed",
    keyset.map((byte, at) => (at === 9 ? byte ^ 1 : byte)),
    pinned,
    nowMs,
    1,
    "signature",
  ],
])("a keyset is refused: %s", (_, bytes, fingerprint, now, epoch, message) => {
  expect(() => loadTrust(bytes, fingerprint, now, epoch)).toThrow(message);
});

test("the setting is named for another root alone, and bytes of no keyset are called so", () => {
  const other = rootFingerprint(new Uint8Array(32));
  expect(() => loadTrust(keyset, other, nowMs)).toThrow(
    expect.objectContaining({ name: "KeysetError", step: "root" }) as Error,
  );
  const older = expect.objectContaining({ step: "keyset-epoch" }) as Error;
  expect(() => loadTrust(keyset, pinned, nowMs, 3)).toThrow(older);
  expect(() => loadTrust(keyset, pinned, nowMs, 3)).not.toThrow("SALLYPORT_ROOT_FINGERPRINT");
  const cause = expect.objectContaining({ name: "FormatError" }) as Error;
  expect(() => loadTrust(new Uint8Array([1, 2, 3]), pinned, nowMs)).toThrow(
    expect.objectContaining({
      message: expect.stringMatching(/^the keyset cannot/) as string,
      cause,
    }) as Error,
  );
});

test("an answer key is found for its holder alone, and by its id", () => {
  const trust = loadTrust(keyset, pinned, nowMs);
  for (const { use, holder, keyId, publicKey } of claims.keys as readonly AnswerKey[]) {
    if (use !== KeyUse.ANSWER || !holder) continue;
    expect(trust.answerKey(holder, keyId)).toEqual(publicKey);
    expect(trust.preferredAnswer(holder)?.keyId).toBe(keyId);
    for (const other of answerOwners.filter((owner) => owner !== holder))
      expect(trust.answerKey(other, keyId)).toBeUndefined();
    expect(trust.answerKey(holder, "key-9")).toBeUndefined();
  }
  expect.assertions(answerOwners.length * (2 + answerOwners.length));
});
