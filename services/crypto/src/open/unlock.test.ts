import { create } from "@bufbuild/protobuf";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { PermitClaimsSchema } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { expect, test } from "vitest";
import { createFileKek, newKey } from "@sallyport/proto/keyring";
import { sealEnvelope } from "../envelope.ts";
import { createProjectKeyCache } from "../project-key-cache.ts";
import { wrapProjectKey } from "../project-key.ts";
import { maxReplyBytes, unlock } from "./unlock.ts";
import type { VerifiedRead, VerifiedSecret } from "./verify.ts";

const kek = createFileKek(newKey());
const owner = { vaultId: newId("vlt"), projectId: newId("prj") };
const projectKey = { generation: 1, key: newKey() };
const wrappedProjectKey = await wrapProjectKey(kek, owner, projectKey);

function secretOf(plaintextBytes: number): VerifiedSecret {
  const secretId = newId("sec");
  const at = { ...owner, secretId, version: 1 };
  const envelope = sealEnvelope(new Uint8Array(plaintextBytes), 1, at, projectKey);
  return { ...at, name: "N", requestedVersion: 0, envelope, wrappedProjectKey };
}

function readOf(secrets: readonly VerifiedSecret[], refused = 0): VerifiedRead {
  const ids = [
    ...secrets.map(({ secretId }) => secretId),
    ...Array.from({ length: refused }, () => newId("sec")),
  ];
  const permit = create(PermitClaimsSchema, { secrets: ids.map((secretId) => ({ secretId })) });
  const machine = { machineId: newId("mch"), originId: newId("tok") };
  return { ...machine, requestDigest: new Uint8Array(32), permit, secrets };
}

async function unlocked(read: VerifiedRead, provider = kek): Promise<number> {
  using held = new DisposableStack();
  using projectKeys = createProjectKeyCache(provider);
  return (await unlock(read, projectKeys, held)).length;
}

const tooLarge = { reason: Reason.TOO_LARGE, metadata: { limit_bytes: "3145728" } };

test("a reply is 3 MiB at most: its contents, and 512 bytes for every secret that was asked for", async () => {
  expect(maxReplyBytes).toBe(3_145_728);
  const most = Array.from({ length: 47 }, () => secretOf(65_536));
  const left = maxReplyBytes - 47 * 65_536 - 48 * 512;
  expect(await unlocked(readOf([...most, secretOf(left)]))).toBe(48);
  await expect(unlocked(readOf([...most, secretOf(left + 1)]))).rejects.toMatchObject(tooLarge);
  await expect(unlocked(readOf([...most, secretOf(left)], 1))).rejects.toMatchObject(tooLarge);
});

test("sealed contents are 16 bytes longer each", async () => {
  const most = Array.from({ length: 47 }, () => secretOf(65_536));
  const left = maxReplyBytes - 47 * 65_536 - 48 * (512 + 16);
  const recipient = new Uint8Array(32);
  expect(await unlocked({ ...readOf([...most, secretOf(left)]), recipient })).toBe(48);
  const more = { ...readOf([...most, secretOf(left + 1)]), recipient };
  await expect(unlocked(more)).rejects.toMatchObject(tooLarge);
});

test("a KEK that is away is not taken for evidence that does not hold", async () => {
  const away = { ...kek, unwrap: () => Promise.reject(new Error("the KMS is away")) };
  await expect(unlocked(readOf([secretOf(1)]), away)).rejects.toThrow(new Error("the KMS is away"));
});
