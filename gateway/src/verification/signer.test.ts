import { createClient } from "@connectrpc/connect";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { KeyService } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { beforeEach, expect, test } from "vitest";
import { newKeyPaths } from "../forwarding/routes.ts";
import { createTestTrust, newKey, newMachine, newUser } from "../testing/keys.ts";
import { type TestPeers, createTestPeers } from "../testing/peers.ts";
import { type KeyCache, createKeyCache } from "./key-cache.ts";
import { findSigner, namedKeyOf } from "./signer.ts";

const readPath = "/sallyport.gateway.v1.ReadService/ReadSecrets";
const trust = createTestTrust();
let peers: TestPeers;
let keys: KeyCache;
let strangers: number;

beforeEach(() => {
  peers = createTestPeers(trust);
  keys = createKeyCache(createClient(KeyService, peers.transports.keys), {
    time: Date.now,
    steady: Date.now,
  });
  strangers = 0;
});

const find = async (keyId: string, path = readPath) =>
  findSigner(namedKeyOf(keyId, path), keys, {
    tryNewKey: () => void (strangers += 1),
    lookUps: { take: () => undefined, giveBack: () => undefined },
  });

test.each([newMachine(), newUser(Role.OWNER)])(
  "an enrolled key is identity's answer: $kind",
  async (made) => {
    const principal = peers.enroll(made);
    const found = await find(principal.keyId);
    expect(found.publicKey).toEqual(principal.publicKey);
    expect(found.refusal).toBe(Reason.UNSPECIFIED);
    expect(found.principal?.claims).toMatchObject({
      principalId: principal.principalId,
      keyId: principal.keyId,
    });
    expect(found.principal?.credential.payload.length).toBeGreaterThan(0);
    expect(strangers).toBe(0);
  },
);

test.each([Reason.MACHINE_DISABLED, Reason.MACHINE_EXPIRED])(
  "a key without a credential is found, with the reason %i",
  async (refusal) => {
    const machine = peers.enroll(newMachine(), refusal);
    const found = await find(machine.keyId);
    expect(found).toEqual({ publicKey: machine.publicKey, refusal, principal: undefined });
  },
);

test("a key with neither credential nor reason counts as disabled", async () => {
  const machine = peers.enroll(newMachine());
  peers.steps.resolveKeys = ({ keyIds }) => ({
    results: keyIds.map((keyId) => ({ keyId, publicKey: machine.publicKey })),
  });
  expect(await find(machine.keyId)).toMatchObject({
    refusal: Reason.MACHINE_DISABLED,
    principal: undefined,
  });
});

test.each([...newKeyPaths])(
  "a key that spells itself out is taken for %s, and counted",
  async (path) => {
    const key = newKey();
    expect(await find(key.keyId, path)).toEqual({
      publicKey: key.publicKey,
      refusal: Reason.UNSPECIFIED,
      principal: undefined,
    });
    expect(strangers).toBe(1);
  },
);

test.each([
  ["a key that spells itself out, elsewhere", newKey().keyId, "the key is not enrolled"],
  ["a machine that identity does not know", newMachine().keyId, "the keyid is unknown"],
])("%s is refused, and not counted", async (_, keyId, message) => {
  await expect(find(keyId)).rejects.toMatchObject({
    reason: Reason.REQUEST_REJECTED,
    metadata: {},
    cause: { message },
  });
  expect(strangers).toBe(0);
});
