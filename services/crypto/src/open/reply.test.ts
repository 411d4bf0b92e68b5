import { beforeEach, expect, test } from "vitest";
import type { ReplySealer } from "../hpke.ts";
import { createFileKek } from "@sallyport/proto/keyring";
import { unwrapProjectKey } from "../project-key.ts";
import { createDeployment, nowMs, publicName } from "../testing/deployment.ts";
import { planRead, storeSecret } from "../testing/read.ts";
import { answerRead } from "./reply.ts";
import type { UnlockedSecret } from "./unlock.ts";
import { verifyRead } from "./verify.ts";

const deployment = createDeployment();
const { keyring, trust, kek } = deployment;
const stored = [await storeSecret(deployment, "ONE"), await storeSecret(deployment, "TWO")];
const verifier = { trust, authorities: [publicName], windowSeconds: 60, clock: () => nowMs };
const read = verifyRead(planRead(deployment, stored), {
  ...verifier,
  permitKeys: () => keyring.permit,
  slipKeys: () => keyring.slip,
});
const [replyKey = { keyId: "", key: new Uint8Array() }] = keyring.reply;

let unlocked: UnlockedSecret[];
let seen: Uint8Array[];
const sealer: ReplySealer = {
  encapsulatedKey: new Uint8Array(32),
  async seal(_secretId, _version, plaintext) {
    seen.push(plaintext);
    if (seen.length === 2) throw new Error("the second does not seal");
    return new Uint8Array(plaintext.length + 16);
  },
};

beforeEach(async () => {
  seen = [];
  const unlock = async (secret: (typeof read.secrets)[number]) => ({
    ...secret,
    projectKey: await unwrapProjectKey(createFileKek(kek), secret, secret.wrappedProjectKey),
  });
  unlocked = await Promise.all(read.secrets.map(unlock));
});

test("a plaintext is zeroed once it is sealed, and when sealing fails", async () => {
  await expect(
    answerRead(read, unlocked, sealer, { key: replyKey, keysetEpoch: 1, receipts: new Map() }),
  ).rejects.toThrow("the second does not seal");
  expect(seen.map(({ length }) => length)).toEqual(stored.map(({ plaintext }) => plaintext.length));
  expect(seen.every((plaintext) => plaintext.every((byte) => byte === 0))).toBe(true);
});
