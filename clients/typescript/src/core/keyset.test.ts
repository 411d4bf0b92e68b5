import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  KeyUse,
  KeysetClaimsSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { rootFingerprint, signKeyset, signKeysetSigner } from "@sallyport/proto/signing";
import { keysOfEveryUse } from "@sallyport/test/infra";
import { describe, expect, test } from "vitest";
import { newSeed, privateKeyOf, rawPublicKey, signBytes } from "../node/keys.ts";
import { verifyKeyset } from "./keyset.ts";

const root = privateKeyOf(newSeed());
const pinned = rootFingerprint(rawPublicKey(root));
const nowMs = 1_800_000_000_000;

function keyset(by = root, epoch = 2, notAfterMs = nowMs + 1000) {
  const key = {
    publicKey: rawPublicKey(by),
    sign: (message: Uint8Array) => signBytes(by, message),
  };
  const signer = signKeysetSigner(key, {
    keyId: "signer-1",
    publicKey: key.publicKey,
    notBefore: timestampFromMs(0),
    notAfter: timestampFromMs(nowMs * 2),
    minEpoch: 1,
    maxEpoch: 9,
  });
  const claims = { epoch, notAfter: timestampFromMs(notAfterMs), keys: [...keysOfEveryUse] };
  return signKeyset(key, { rootPublicKey: key.publicKey, signer }, claims);
}

describe("a keyset", () => {
  test("of the pinned root gives its keys by use and id", async () => {
    const keys = await verifyKeyset(keyset(), pinned, nowMs);
    expect(keys.key(KeyUse.REPLY, `key-${KeyUse.REPLY}`)).toEqual(
      new Uint8Array(32).fill(KeyUse.REPLY),
    );
    expect(() => keys.key(KeyUse.REPLY, `key-${KeyUse.LOG}`)).toThrow(/no REPLY key/);
    expect(keys.preferred(KeyUse.SEALING).keyId).toBe(`key-${KeyUse.SEALING}`);
  });

  test.each([
    [
      "of another root",
      () => verifyKeyset(keyset(privateKeyOf(newSeed())), pinned, nowMs),
      "ROOT_CHANGED",
    ],
    ["that is missing", () => verifyKeyset(undefined, pinned, nowMs), "REPLY_UNTRUSTED"],
    ["past its time", () => verifyKeyset(keyset(), pinned, nowMs + 1000), "REPLY_UNTRUSTED"],
    ["older than one seen", () => verifyKeyset(keyset(), pinned, nowMs, 3), "REPLY_UNTRUSTED"],
  ])("%s is refused", async (_, verify, reason) => {
    await expect(verify()).rejects.toMatchObject({ reason });
  });

  test("whose payload was altered is refused", async () => {
    const altered = keyset();
    altered.payload = toBinary(
      KeysetClaimsSchema,
      create(KeysetClaimsSchema, { epoch: 9, notAfter: timestampFromMs(nowMs + 1000) }),
    );
    await expect(verifyKeyset(altered, pinned, nowMs)).rejects.toMatchObject({
      reason: "REPLY_UNTRUSTED",
    });
  });

  test("signed by another key under the pinned root's name is refused", async () => {
    const forged = { ...keyset(privateKeyOf(newSeed())), rootPublicKey: rawPublicKey(root) };
    await expect(verifyKeyset(forged, pinned, nowMs)).rejects.toMatchObject({
      reason: "REPLY_UNTRUSTED",
    });
  });
});
