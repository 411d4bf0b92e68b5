import {
  chmodSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { rootFingerprint, signKeyset, signKeysetSigner } from "@sallyport/proto/signing";
import { keysOfEveryUse } from "@sallyport/test/infra";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Identity, loadIdentity, rememberEpoch, saveIdentity } from "../node/identity.ts";
import { newSeed, privateKeyOf, rawPublicKey, signBytes } from "../node/keys.ts";
import { createKeysetKeeper } from "./keyset-keeper.ts";
import { SallyportError } from "./sallyport-error.ts";

const root = privateKeyOf(newSeed());
const key = {
  publicKey: rawPublicKey(root),
  sign: (message: Uint8Array) => signBytes(root, message),
};
const dayMs = 86_400_000;
const startMs = 1_800_000_000_000;
const identity: Identity = {
  url: "https://localhost:1",
  rootFingerprint: rootFingerprint(key.publicKey),
  vaultId: "vlt_00000000000000000000",
  principalId: "mch_00000000000000000000",
  keyId: "mch_00000000000000000000",
  kind: "machine",
  name: "runner",
  seed: Buffer.alloc(32, 1).toString("base64"),
  expiresAt: "2100-01-01T00:00:00.000Z",
};

function keyset(epoch: number, notAfterMs: number) {
  const signer = signKeysetSigner(key, {
    keyId: "signer-1",
    publicKey: key.publicKey,
    notBefore: timestampFromMs(0),
    notAfter: timestampFromMs(startMs * 2),
    minEpoch: 1,
    maxEpoch: 1000,
  });
  const claims = { epoch, notAfter: timestampFromMs(notAfterMs), keys: [...keysOfEveryUse] };
  return signKeyset(key, { rootPublicKey: key.publicKey, signer }, claims);
}

let dir: string;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), "sallyport-keeper-"))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A keeper with a clock and a server that the test moves. */
function keeping(known: Identity = identity, file?: string) {
  const world = { nowMs: startMs, epoch: 5, asked: 0, failure: undefined as Error | undefined };
  const ask = async () => {
    world.asked += 1;
    if (world.failure) throw world.failure;
    return { keyset: keyset(world.epoch, world.nowMs + 7 * dayMs) };
  };
  const remember = async (epoch: number): Promise<void> => {
    if (file !== undefined) await rememberEpoch(file, known.keyId, epoch);
  };
  return { world, keeper: createKeysetKeeper({ ...known, remember }, ask, () => world.nowMs) };
}

describe("the keyset of a connection", () => {
  test("is fetched once, and again well before its end", async () => {
    const { world, keeper } = keeping();
    for (let call = 0; call < 3; call += 1) expect((await keeper.current()).epoch).toBe(5);
    expect(world.asked).toBe(1);
    world.nowMs += dayMs;
    world.epoch = 6;
    expect((await keeper.current()).epoch).toBe(6);
    expect(world.asked).toBe(2);
  });

  test("stays in use until its end when the server is out of reach, and no longer", async () => {
    const { world, keeper } = keeping();
    await keeper.current();
    world.failure = new SallyportError("UNREACHABLE", "away");
    world.nowMs += 6 * dayMs;
    expect((await keeper.current()).epoch).toBe(5);
    world.nowMs += dayMs;
    await expect(keeper.current()).rejects.toThrow("away");
  });

  test("is refused when it is older than what a signed reply named, and fetched anew at once", async () => {
    const { world, keeper } = keeping();
    await keeper.current();
    await keeper.saw(6);
    await expect(keeper.current()).rejects.toMatchObject({ reason: "REPLY_UNTRUSTED" });
    world.epoch = 6;
    expect((await keeper.current()).epoch).toBe(6);
  });

  test("is refused when it is older than what an answer named, which no later process is told of", async () => {
    const file = join(dir, "machine.json");
    await saveIdentity(file, identity);
    const { world, keeper } = keeping(identity, file);
    await keeper.current();
    keeper.heard(7);
    await expect(keeper.current()).rejects.toMatchObject({ reason: "REPLY_UNTRUSTED" });
    expect([keeper.epoch(), (await loadIdentity(file)).keysetEpoch]).toEqual([5, 5]);
    world.epoch = 7;
    expect((await keeper.current()).epoch).toBe(7);
    expect([keeper.epoch(), (await loadIdentity(file)).keysetEpoch]).toEqual([7, 7]);
  });

  test("is refused when it is older than what the identity remembers", async () => {
    const { world, keeper } = keeping({ ...identity, keysetEpoch: 6 });
    await expect(keeper.current()).rejects.toThrow("the keyset is older than one already seen");
    world.epoch = 6;
    expect((await keeper.current()).epoch).toBe(6);
  });
});

describe("the epoch in the identity file", () => {
  test("is kept for the next process, which refuses an older keyset", async () => {
    const file = join(dir, "machine.json");
    await saveIdentity(file, identity);
    await keeping(identity, file).keeper.current();
    const next = await loadIdentity(file);
    expect(next).toEqual({ ...identity, keysetEpoch: 5 });
    const { world, keeper } = keeping(next, file);
    world.epoch = 4;
    await expect(keeper.current()).rejects.toThrow("the keyset is older than one already seen");
  });

  test("never goes back, and is no other identity's", async () => {
    const file = join(dir, "machine.json");
    await saveIdentity(file, identity);
    await rememberEpoch(file, identity.keyId, 9);
    await rememberEpoch(file, identity.keyId, 8);
    await rememberEpoch(file, "mch_other", 10);
    expect(await loadIdentity(file)).toEqual({ ...identity, keysetEpoch: 9 });
  });

  test("is the greatest of those that are kept at once, and the file stays whole", async () => {
    const file = join(dir, "machine.json");
    await saveIdentity(file, identity);
    const epochs = Array.from({ length: 40 }, (_, at) => ((at * 7) % 40) + 1);
    await Promise.all(epochs.map((epoch) => rememberEpoch(file, identity.keyId, epoch)));
    expect(await loadIdentity(file)).toEqual({ ...identity, keysetEpoch: 40 });
    expect(readdirSync(dir)).toEqual(["machine.json"]);
  });

  test("does not bring back an identity that was replaced meanwhile", async () => {
    const file = join(dir, "machine.json");
    const renewed = {
      ...identity,
      keyId: "mch_11111111111111111111",
      seed: Buffer.alloc(32, 2).toString("base64"),
    };
    for (let round = 0; round < 20; round += 1) {
      await saveIdentity(file, identity);
      await Promise.all([rememberEpoch(file, identity.keyId, 9), saveIdentity(file, renewed)]);
      expect(await loadIdentity(file)).toEqual(renewed);
    }
  });

  test("waits for no lock that a killed process left behind", async () => {
    const file = join(dir, "machine.json");
    const lock = join(dir, ".machine.json.lock");
    writeFileSync(lock, "");
    utimesSync(lock, 0, 0);
    await saveIdentity(file, identity);
    expect(readdirSync(dir)).toEqual(["machine.json"]);
  });

  test("is not written where there is no file, or none that may be written", async () => {
    await rememberEpoch(join(dir, "none.json"), identity.keyId, 9);
    expect(readdirSync(dir)).toEqual([]);
    const file = join(dir, "machine.json");
    await saveIdentity(file, identity);
    const before = readFileSync(file, "utf8");
    chmodSync(dir, 0o500);
    await rememberEpoch(file, identity.keyId, 9);
    chmodSync(dir, 0o700);
    // Root may write everywhere.
    if (process.getuid?.() !== 0) expect(readFileSync(file, "utf8")).toBe(before);
  });
});
