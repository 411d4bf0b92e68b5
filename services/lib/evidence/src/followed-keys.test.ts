import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type KeyFileEntry, formatKeyFile } from "@sallyport/proto/keyring";
import { KeyUse } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { rootFingerprint } from "@sallyport/proto/signing";
import { createLogger } from "@sallyport/telemetry";
import { createAnswerKeys, signTestKeyset } from "@sallyport/test/infra";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { publicKeyOf } from "./ed25519.ts";
import { followAnswerKey, followKeys } from "./followed-keys.ts";
import { type FollowedTrust, followTrust } from "./followed-trust.ts";

const nowMs = 1_800_000_000_000;
const dayMs = 86_400_000;
const rootSeed = randomBytes(32);
const variable = "SALLYPORT_ANSWER_KEY_FILE";
const intervalMs = 5;
const newKey = (keyId: string): KeyFileEntry => ({ keyId, key: new Uint8Array(randomBytes(32)) });
const [one, two, three] = [newKey("answer-1"), newKey("answer-2"), newKey("answer-3")];
const answers = createAnswerKeys();
const others = [KeyUse.CREDENTIAL, KeyUse.SEALING, KeyUse.REPLY, KeyUse.LOG].map((use) => ({
  keyId: `key-${use}`,
  use,
  publicKey: publicKeyOf(randomBytes(32)),
}));

let dir: string;
let file: string;
let keyset: string;
let logged: string[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-followed-keys-"));
  [file, keyset] = [join(dir, "answer.key"), join(dir, "keyset.bin")];
  logged = [];
});
afterEach(() => rmSync(dir, { recursive: true }));

const stream = { write: (line: string) => void logged.push(line) };
const logger = createLogger({ service: "policy", level: "info", stream });

function put(path: string, content: Uint8Array | string, mode = 0o600): void {
  writeFileSync(`${path}.new`, content);
  chmodSync(`${path}.new`, mode);
  renameSync(`${path}.new`, path);
}

const putKeys = (...keys: readonly KeyFileEntry[]): void => put(file, formatKeyFile(keys));

/** Publishes a keyset with these keys of policy, the preferred one first. */
function publish(epoch: number, ...keys: readonly KeyFileEntry[]): void {
  const ofPolicy = keys.map(({ keyId, key }) => ({
    keyId,
    use: KeyUse.ANSWER,
    holder: "policy",
    publicKey: publicKeyOf(key),
  }));
  const rest = answers.published.filter(({ holder }) => holder !== "policy");
  const notAfter = timestampFromMs(nowMs + 7 * dayMs);
  put(
    keyset,
    signTestKeyset(rootSeed, { epoch, notAfter, keys: [...others, ...rest, ...ofPolicy] }),
  );
}

function follow(): Promise<FollowedTrust> {
  const fingerprint = rootFingerprint(publicKeyOf(rootSeed));
  const clock = () => nowMs;
  return followTrust({ keyset, rootFingerprint: fingerprint, clock, logger, intervalMs });
}

const signer = (trust: FollowedTrust) =>
  followAnswerKey({ variable, file }, "policy", { trust, logger, intervalMs });

describe("a key file that a process follows", () => {
  test("is taken up while it runs, and logged by its ids alone", async () => {
    putKeys(one);
    using keys = await followKeys({ variable, file }, { logger, intervalMs });
    expect(keys.current).toEqual([one]);
    putKeys(two, one);
    await expect.poll(() => keys.current).toEqual([two, one]);
    expect(logged.join("")).toContain('"key_ids":"answer-2 answer-1"');
    for (const { key } of [one, two])
      expect(logged.join("")).not.toContain(Buffer.from(key).toString("base64"));
  });

  test("is refused, and the keys before stay, when it does not parse or others may read it", async () => {
    putKeys(one);
    using keys = await followKeys({ variable, file }, { logger, intervalMs });
    const content = formatKeyFile([two]);
    for (const [change, sentence] of [
      [() => put(file, ""), "names a key file without keys"],
      [() => put(file, "answer-2 x"), "line 1 is not"],
      [() => put(file, content, 0o644), "everyone on the machine may open"],
    ] as const) {
      const { length } = logged;
      change();
      await expect.poll(() => logged.length).toBe(length + 1);
      expect(logged.at(-1)).toContain("the new keys are refused: the ones before stay in use");
      expect(logged.at(-1)).toContain(`${variable} `);
      expect(logged.at(-1)).toContain(sentence);
      expect(keys.current).toEqual([one]);
    }
    put(file, content);
    await expect.poll(() => keys.current).toEqual([two]);
  });

  test.runIf(process.getuid?.() === 0)("is refused when it belongs to another user", async () => {
    putKeys(one);
    chownSync(file, 12_345, 12_345);
    await expect(followKeys({ variable, file }, { logger })).rejects.toThrow("of another user");
  });

  test("stops the start with a sentence that names its setting", async () => {
    put(file, formatKeyFile([one]), 0o604);
    await expect(followKeys({ variable, file }, { logger })).rejects.toThrow(
      `${variable} names a key file that everyone on the machine may open`,
    );
  });
});

describe("what signs", () => {
  test("changes with the keyset through a whole rotation, in whichever order the files arrive", async () => {
    putKeys(one);
    publish(1, one);
    using trust = await follow();
    using answering = await signer(trust);
    const signs = async (keyId: string, epoch: number): Promise<void> => {
      await expect.poll(() => trust.epoch).toBe(epoch);
      expect(answering.key().keyId).toBe(keyId);
    };
    putKeys(two, one);
    publish(2, one, two);
    await signs("answer-1", 2);
    publish(3, two, one);
    await signs("answer-2", 3);
    publish(4, two);
    await signs("answer-2", 4);
    putKeys(two);
    await expect.poll(() => logged.at(-1)).toContain('"key_ids":"answer-2"');
    // The keyset first, which names a key that is not here yet.
    publish(5, three, two);
    await signs("answer-2", 5);
    putKeys(three, two);
    await expect.poll(() => answering.key().keyId).toBe("answer-3");
  });

  test("is not lost to a file or a keyset that leaves none: each waits for the other", async () => {
    putKeys(one);
    publish(1, one);
    using trust = await follow();
    using answering = await signer(trust);
    putKeys(two);
    await expect.poll(() => logged.join("")).toContain("the new keys are refused");
    expect(answering.key().keyId).toBe("answer-1");
    publish(2, one, two);
    await expect.poll(() => answering.key().keyId).toBe("answer-2");
    publish(3, three);
    await expect.poll(() => logged.join("")).toContain("the new keyset is refused");
    expect([trust.epoch, answering.key().keyId]).toEqual([2, "answer-2"]);
    putKeys(three, two);
    await expect.poll(() => trust.epoch).toBe(3);
    expect(answering.key().keyId).toBe("answer-3");
  });
});

test("keys that are given themselves are checked, and stay as they are", async () => {
  const given = [one, two];
  using keys = await followKeys(given, { logger, intervalMs });
  expect(keys.current).toBe(given);
  const check = (): never => {
    throw new Error("no key of ours");
  };
  await expect(followKeys(given, { logger, check })).rejects.toThrow("no key of ours");
});
