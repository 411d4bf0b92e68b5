import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { publicKeyOf, followTrust } from "@sallyport/evidence";
import { KeyUse } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { type Keyring, createFileKek, newKey, sealKeyring } from "@sallyport/proto/keyring";
import { createLogger } from "@sallyport/telemetry";
import { createAnswerKeys } from "@sallyport/test/infra";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { followKeyring } from "./followed-keyring.ts";
import { sealingPublicKeyOf } from "./hpke.ts";
import { createDeployment, nowMs, signKeyset } from "./testing/deployment.ts";

const deployment = createDeployment();
const { rootSeed, rootFingerprint, trust: first } = deployment;
const kek = createFileKek(deployment.kek);
const answers = createAnswerKeys().published;
const entry = (keyId: string) => ({ keyId, key: new Uint8Array(newKey()) });
const next = {
  permit: [entry("permit-2"), ...deployment.keyring.permit],
  slip: [entry("slip-2"), ...deployment.keyring.slip],
  sealing: [entry("sealing-2"), ...deployment.keyring.sealing],
  reply: [entry("reply-2"), ...deployment.keyring.reply],
} satisfies Keyring;

let dir: string;
let files: { readonly keyring: string; readonly keyset: string };
let logged: string[];
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-keyring-"));
  files = { keyring: join(dir, "keyring.bin"), keyset: join(dir, "keyset.bin") };
  logged = [];
  await putKeyring(deployment.keyring);
  publish(1, deployment.keyring);
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(dir, { recursive: true });
});

function put(path: string, content: Uint8Array, mode = 0o600): void {
  writeFileSync(`${path}.new`, content);
  chmodSync(`${path}.new`, mode);
  renameSync(`${path}.new`, path);
}

const putKeyring = async (keyring: Keyring, by = kek): Promise<void> =>
  put(files.keyring, await sealKeyring(by, keyring));

/** Publishes the reply and sealing keys of a keyring, in its order. */
function publish(epoch: number, { sealing, reply }: Pick<Keyring, "sealing" | "reply">): void {
  const named = [
    ...sealing.map(({ keyId, key }) => ({
      keyId,
      use: KeyUse.SEALING,
      publicKey: sealingPublicKeyOf(key),
    })),
    ...reply.map(({ keyId, key }) => ({ keyId, use: KeyUse.REPLY, publicKey: publicKeyOf(key) })),
  ];
  const others = [KeyUse.CREDENTIAL, KeyUse.LOG].map((use) => ({ use, ...first.preferred(use) }));
  put(files.keyset, signKeyset(rootSeed, [...others, ...answers, ...named], epoch));
}

async function follow(stack: DisposableStack) {
  const stream = { write: (line: string) => void logged.push(line) };
  const logger = createLogger({ service: "crypto", level: "info", stream });
  const trust = stack.use(
    await followTrust({
      keyset: files.keyset,
      rootFingerprint,
      clock: () => nowMs,
      logger,
      intervalMs: 5,
    }),
  );
  const keys = stack.use(await followKeyring(files.keyring, { kek, trust, logger, intervalMs: 5 }));
  return { trust, keys };
}

test("a keyring is taken up while crypto runs, and the keyset says which reply key signs", async () => {
  using stack = new DisposableStack();
  const { trust, keys } = await follow(stack);
  expect(keys.replyKey().keyId).toBe("reply-1");
  await putKeyring(next);
  await expect
    .poll(() => keys.permitKeys().map(({ keyId }) => keyId))
    .toEqual(["permit-2", "permit-1"]);
  expect(keys.slipKeys()[0]).toEqual(next.slip[0]);
  expect([...keys.sealingKeys().keys()]).toEqual(["sealing-2", "sealing-1"]);
  expect(keys.replyKey().keyId).toBe("reply-1");
  publish(2, next);
  await expect.poll(() => trust.epoch).toBe(2);
  expect(keys.replyKey().keyId).toBe("reply-2");
});

test("keyset and keyring may come in any order: what cannot be used yet is taken up later", async () => {
  using stack = new DisposableStack();
  const { trust, keys } = await follow(stack);
  publish(2, next);
  await expect.poll(() => logged.join("")).toContain("the new keyset is refused");
  expect([trust.epoch, keys.replyKey().keyId]).toEqual([1, "reply-1"]);
  await putKeyring(next);
  await expect.poll(() => trust.epoch).toBe(2);
  expect(keys.replyKey().keyId).toBe("reply-2");
});

test("a keyring that is open to others, of another KEK, damaged or without our keys is refused", async () => {
  using stack = new DisposableStack();
  const { keys } = await follow(stack);
  const sealed = await sealKeyring(kek, next);
  const alien = { ...next, reply: [entry("reply-1")] };
  const unsealable = { ...next, sealing: [entry("sealing-9")] };
  for (const [change, sentence] of [
    [() => put(files.keyring, sealed, 0o644), "everyone on the machine may open"],
    [() => put(files.keyring, sealed.subarray(0, 150)), "a tag does not hold"],
    [() => putKeyring(next, createFileKek(newKey())), "the keyring needs the KEK"],
    [() => putKeyring(alien), "the keyset does not have the keyring's reply key"],
    [() => putKeyring(unsealable), "does not have the keyset's sealing key sealing-1"],
  ] as const) {
    const { length } = logged;
    await change();
    await expect.poll(() => logged.length).toBe(length + 1);
    expect(logged.at(-1)).toContain("the new keyring is refused: the one before stays in use");
    expect(logged.at(-1)).toContain(sentence);
    expect(keys.permitKeys().map(({ keyId }) => keyId)).toEqual(["permit-1"]);
    expect(keys.replyKey().keyId).toBe("reply-1");
  }
});

test("the keyring before is zeroed a minute after it was replaced, not under a request", async () => {
  using stack = new DisposableStack();
  const { keys } = await follow(stack);
  const before = keys.replyKey();
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  await putKeyring(next);
  const untilMs = Date.now() + 10_000;
  while (keys.permitKeys().length < 2 && Date.now() < untilMs)
    await new Promise((resolve) => setImmediate(resolve));
  expect(before.key).not.toEqual(new Uint8Array(32));
  vi.advanceTimersByTime(60_000);
  expect(before.key).toEqual(new Uint8Array(32));
  const now = keys.replyKey();
  stack.dispose();
  expect(now.key).toEqual(new Uint8Array(32));
});
