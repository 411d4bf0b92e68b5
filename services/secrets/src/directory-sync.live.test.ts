import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { type SigningUser, newUser } from "@sallyport/test/infra";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { resetPeers } from "./testing/memory-peers.ts";
import {
  type TestSecrets,
  addTestProject,
  addTestSecret,
  deleteTestSecret,
  reasonOf,
  startTestSecrets,
} from "./testing/secrets.ts";
import type { Resource } from "./store/resources.ts";
import { addUnsettled, listUnsettled } from "./store/pending-sync.ts";

let secrets: TestSecrets;
let owner: SigningUser;
let living: Resource;
let deleted: Resource;

beforeAll(async () => {
  secrets = await startTestSecrets();
  return () => secrets[Symbol.asyncDispose]();
});

beforeEach(async () => {
  resetPeers(secrets.memory);
  await secrets.database.query("delete from unsettled");
  owner = newUser();
  const projectId = await addTestProject(secrets, owner);
  const add = async (name: string) => ({
    vaultId: owner.vaultId,
    id: await addTestSecret(secrets, owner, projectId, name),
  });
  [living, deleted] = [await add("LIVING"), await add("DELETED")];
  await deleteTestSecret(secrets, owner, deleted.id);
  resetPeers(secrets.memory);
});

const waiting = async () => (await listUnsettled(secrets.database, 100)).map(({ id }) => id);

test("what policy believes wrongly is put right, whichever way", async () => {
  const { retired } = secrets.memory;
  retired.add(living.id);
  retired.delete(deleted.id);
  for (const resource of [living, deleted]) await addUnsettled(secrets.database, resource);
  await secrets.liveness.settleAll();
  expect([retired.has(living.id), retired.has(deleted.id), await waiting()]).toEqual([
    false,
    true,
    [],
  ]);
});

test("what is gone, or of another vault, is forgotten and policy hears nothing", async () => {
  await addUnsettled(secrets.database, { vaultId: owner.vaultId, id: newId("sec") });
  await addUnsettled(secrets.database, { vaultId: newId("vlt"), id: living.id });
  await secrets.liveness.settleAll();
  expect([secrets.memory.told, await waiting()]).toEqual([[], []]);
});

test("one that policy refuses waits behind the others and keeps none of them", async () => {
  secrets.memory.refuse.reinstate = living.id;
  for (const resource of [living, deleted]) await addUnsettled(secrets.database, resource);
  expect(await reasonOf(secrets.liveness.settleAll())).toBe(Reason.NOT_FOUND);
  expect([secrets.memory.told, await waiting()]).toEqual([["retire"], [living.id]]);
});

test("while policy is away everything waits in its order", async () => {
  for (const resource of [living, deleted]) await addUnsettled(secrets.database, resource);
  secrets.memory.down.policy = true;
  expect(await reasonOf(secrets.liveness.settleAll())).toBe(Reason.DEPENDENCY_UNAVAILABLE);
  expect(await waiting()).toEqual([living.id, deleted.id]);
});

test("one that is noted twice, or settled by two at once, is settled", async () => {
  for (const resource of [deleted, deleted]) await addUnsettled(secrets.database, resource);
  await Promise.all([secrets.liveness.settleAll(), secrets.liveness.settleAll()]);
  expect([secrets.memory.retired.has(deleted.id), await waiting()]).toEqual([true, []]);
});
