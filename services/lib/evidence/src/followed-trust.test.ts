import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { KeyUse } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { rootFingerprint } from "@sallyport/proto/signing";
import { createLogger } from "@sallyport/telemetry";
import { keysOfEveryUse, signTestKeyset } from "@sallyport/test/infra";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { publicKeyOf } from "./ed25519.ts";
import { type FollowTrustOptions, followTrust, keysetFile } from "./followed-trust.ts";
import { pickPublished } from "./published.ts";

const dayMs = 86_400_000;
const rootSeed = randomBytes(32);
const fingerprint = rootFingerprint(publicKeyOf(rootSeed));
let nowMs: number;
let dir: string;
let file: string;
let logged: string[];
beforeEach(() => {
  nowMs = 1_800_000_000_000;
  dir = mkdtempSync(join(tmpdir(), "sallyport-trust-"));
  file = join(dir, "keyset.bin");
  logged = [];
});
afterEach(() => rmSync(dir, { recursive: true }));

const seeds = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)] as const;
const keyOf = (keyId: string, use: KeyUse, at: 0 | 1 = 0) => ({
  keyId,
  use,
  publicKey: publicKeyOf(seeds[at]),
});
const answers = keysOfEveryUse.filter(({ use }) => use === KeyUse.ANSWER);
const others = [KeyUse.SEALING, KeyUse.CREDENTIAL, KeyUse.LOG].map((use) =>
  keyOf(`key-${use}`, use),
);

function put(
  epoch: number,
  reply = [keyOf("reply-1", KeyUse.REPLY)],
  seed: Uint8Array = rootSeed,
): void {
  const notAfter = timestampFromMs(nowMs + 7 * dayMs);
  const signer = { notAfter: timestampFromMs(nowMs + 365 * dayMs) };
  writeFileSync(
    `${file}.new`,
    signTestKeyset(seed, { epoch, notAfter, keys: [...others, ...answers, ...reply] }, signer),
  );
  renameSync(`${file}.new`, file);
}

function follow(more: Partial<FollowTrustOptions> = {}) {
  const stream = { write: (line: string) => void logged.push(line) };
  const logger = createLogger({ service: "crypto", level: "info", stream });
  const clock = () => nowMs;
  return followTrust({
    keyset: file,
    rootFingerprint: fingerprint,
    clock,
    logger,
    intervalMs: 5,
    ...more,
  });
}

describe("a keyset that a process follows", () => {
  test("is taken up while it runs, by everything that holds on to the trust", async () => {
    put(1);
    using trust = await follow();
    const publicKey = (use: KeyUse, keyId: string) => trust.publicKey(use, keyId);
    expect(publicKey(KeyUse.REPLY, "reply-2")).toBeUndefined();
    put(2, [keyOf("reply-2", KeyUse.REPLY, 1)]);
    await expect.poll(() => trust.epoch).toBe(2);
    expect(logged.at(-1)).toMatch(/"epoch":2,.*"msg":"a new keyset is in use"/);
    expect(trust.notAfterMs).toBe(nowMs + 7 * dayMs);
    expect(trust.signerNotAfterMs).toBe(nowMs + 365 * dayMs);
    expect(publicKey(KeyUse.REPLY, "reply-2")).toEqual(publicKeyOf(seeds[1]));
    expect(trust.preferred(KeyUse.REPLY).keyId).toBe("reply-2");
    expect(publicKey(KeyUse.REPLY, "reply-1")).toBeUndefined();
  });

  test("is refused, and the one before stays, when it goes back, is another root's or is no keyset", async () => {
    put(5);
    using trust = await follow();
    const before = trust.keyset;
    expect(before.payload.length).toBeGreaterThan(0);
    for (const change of [
      () => put(4),
      () => put(6, undefined, randomBytes(32)),
      () => writeFileSync(file, "x"),
    ]) {
      const { length } = logged;
      change();
      await expect.poll(() => logged.length).toBe(length + 1);
      expect(logged.at(-1)).toContain("the new keyset is refused: the one before stays in use");
      expect(logged.at(-1)).toMatch(/"err":\{"type":"\w*Error"/);
      expect(trust.keyset).toBe(before);
    }
    put(6);
    await expect.poll(() => trust.epoch).toBe(6);
  });

  test("may be given as bytes, which never change", async () => {
    put(3);
    const bytes = new Uint8Array(readFileSync(file));
    using trust = await follow({ keyset: bytes });
    expect(trust.epoch).toBe(3);
    put(4);
    await sleep(20);
    expect([trust.epoch, trust.announcedEpoch]).toEqual([3, 3]);
    expect(keysetFile("SALLYPORT_KEYSET_FILE").read(file)).toBe(file);
    expect(keysetFile("SALLYPORT_KEYSET_FILE").variable).toBe("SALLYPORT_KEYSET_FILE");
  });

  test("is refused while the process cannot work with it, and taken up when it can", async () => {
    put(1);
    using trust = await follow();
    let greatest = 0;
    const check = ({ epoch }: { readonly epoch: number }): void => {
      if (epoch > greatest) throw new Error("it lacks our key");
    };
    expect(() => trust.demand(check)).toThrow("it lacks our key");
    greatest = 1;
    trust.demand(check);
    put(2);
    await expect.poll(() => logged.length).toBe(1);
    await sleep(30);
    expect([trust.epoch, logged.length]).toEqual([1, 1]);
    // The key came after the keyset.
    greatest = 2;
    await expect.poll(() => trust.epoch).toBe(2);
  });

  test("is told to clients a minute after it was taken up", async () => {
    put(1);
    using trust = await follow();
    expect(trust.announcedEpoch).toBe(1);
    put(2);
    await expect.poll(() => trust.epoch).toBe(2);
    expect(trust.announcedEpoch).toBe(1);
    nowMs += 60_000;
    expect(trust.announcedEpoch).toBe(2);
  });

  test("gives notice two days before its end, and 60 days before its signer's", async () => {
    put(1);
    using trust = await follow();
    const startMs = nowMs;
    await expect(trust.checkEnd()).resolves.toBeUndefined();
    nowMs = startMs + 5 * dayMs;
    await expect(trust.checkEnd()).rejects.toThrow('run "sallyport keyset renew"');
    nowMs = startMs + 305 * dayMs;
    await expect(trust.checkEnd()).rejects.toThrow('run "sallyport keyset sign"');
  });
});

test("the key that signs is the keyset's preferred one, or one that it names, and else none", async () => {
  const held = [
    { keyId: "reply-1", key: seeds[0] },
    { keyId: "reply-2", key: seeds[1] },
  ];
  const [one, two] = [keyOf("reply-1", KeyUse.REPLY), keyOf("reply-2", KeyUse.REPLY, 1)];
  const pick = async (reply: (typeof one)[], from = held) => {
    put(1, reply);
    using trust = await follow();
    const find = (keyId: string) => trust.publicKey(KeyUse.REPLY, keyId);
    return pickPublished(from, { find, preferred: trust.preferred(KeyUse.REPLY) })?.keyId;
  };
  expect(await pick([one, two])).toBe("reply-1");
  expect(await pick([two, one])).toBe("reply-2");
  expect(await pick([two, one], held.slice(0, 1))).toBe("reply-1");
  expect(await pick([keyOf("reply-3", KeyUse.REPLY), two])).toBe("reply-2");
  expect(await pick([keyOf("reply-2", KeyUse.REPLY)], held.slice(1))).toBeUndefined();
});
