import { setTimeout as pause } from "node:timers/promises";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { openDatabase } from "@sallyport/postgres";
import { failureOf } from "@sallyport/rpc";
import { type SigningUser, newUser } from "@sallyport/test/infra";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { resetPeers } from "../testing/memory-peers.ts";
import {
  type TestSecrets,
  addTestProject,
  addTestSecret,
  addTestVersion,
  deleteTestSecret,
  reasonOf,
  startTestSecrets,
  newSecretRequest,
} from "../testing/secrets.ts";

const { createSecret, getSecret, listSecrets, listVersions, restoreSecret } = SecretService.method;
const { deleteProject, restoreProject } = ProjectService.method;

let secrets: TestSecrets;
let owner: SigningUser;
let projectId: string;
let secretId: string;

beforeAll(async () => {
  secrets = await startTestSecrets();
  return () => secrets[Symbol.asyncDispose]();
});

beforeEach(async () => {
  resetPeers(secrets.memory);
  owner = newUser();
  projectId = await addTestProject(secrets, owner);
  secretId = await addTestSecret(secrets, owner, projectId, "DB_URL");
});

/**
 * Has one call stop at a peer, runs another meanwhile, then lets the first go on; returns both
 * reasons.
 */
async function overtaken(
  peer: "seal" | "policy",
  first: () => Promise<unknown>,
  second: () => Promise<unknown>,
): Promise<Reason[]> {
  const gate = Promise.withResolvers<void>();
  secrets.memory.gate[peer] = gate.promise;
  const held = reasonOf(first());
  await pause(100); // Long enough to reach the peer.
  const other = reasonOf(second());
  await pause(100);
  gate.resolve();
  return Promise.all([held, other]);
}

const remove = () => deleteTestSecret(secrets, owner, secretId);
const removeProject = () => secrets.call(owner, deleteProject, { projectId, name: "payments" });
const restore = () => secrets.call(owner, restoreSecret, { secretId });

/**
 * Holds the secret as a purge does until its time is over, and has `run` begin before that and
 * wait.
 */
async function amidThePurge(run: () => Promise<unknown>): Promise<Reason> {
  await using database = openDatabase({ url: secrets.ownerUrl, applicationName: "test-owner" });
  const { running } = await database.transaction(async (tx) => {
    await tx.query("alter table secrets disable trigger stamp_deletion");
    await tx.query(
      `update secrets set deleted_at = clock_timestamp() - purge_delay() + interval '1 second'
       where secret_id = $1`,
      [secretId],
    );
    await tx.query("alter table secrets enable trigger stamp_deletion");
    const begun = reasonOf(run());
    await pause(1_200);
    return { running: begun };
  });
  return await running;
}
const add = () => addTestVersion(secrets, owner, { projectId, secretId, expectedVersion: 1 });

async function storedVersions(): Promise<number> {
  const [row] = await secrets.database.query<{ count: number }>(
    "select count(*)::int as count from versions where secret_id = $1",
    [secretId],
  );
  return row?.count ?? 0;
}

test("of 50 new versions over the same one, one wins and the others learn the current version", async () => {
  const outcomes = await Promise.all(
    Array.from({ length: 50 }, () =>
      add().then(
        ({ secret }) => secret?.currentVersion,
        (error: unknown) => failureOf(error),
      ),
    ),
  );
  expect(outcomes.filter((outcome) => outcome === 2).length).toBe(1);
  for (const outcome of outcomes.filter((one) => one !== 2))
    expect(outcome).toMatchObject({
      reason: Reason.VERSION_CONFLICT,
      metadata: { current_version: "2" },
    });
  const { versions } = await secrets.call(owner, listVersions, { secretId });
  expect(versions.map(({ version }) => version)).toEqual([2, 1]);
  expect(await storedVersions()).toBe(2);
});

describe("what is overtaken", () => {
  test("a new version by a delete is not stored", async () => {
    expect(await overtaken("seal", add, remove)).toEqual([Reason.NOT_FOUND, Reason.UNSPECIFIED]);
    expect(await storedVersions()).toBe(1);
  });

  test("a delete by a new version: that waits, and then finds nothing", async () => {
    expect(await overtaken("policy", remove, add)).toEqual([Reason.UNSPECIFIED, Reason.NOT_FOUND]);
    expect(await storedVersions()).toBe(1);
  });

  test("a new secret by the delete of its project: that waits, and finds the project in use", async () => {
    await remove();
    const create = () => addTestSecret(secrets, owner, projectId, "NEXT");
    expect(await overtaken("seal", create, removeProject)).toEqual([
      Reason.UNSPECIFIED,
      Reason.PROJECT_NOT_EMPTY,
    ]);
  });

  test("the delete of a project by a new secret: that waits, and finds no project", async () => {
    await remove();
    const create = () => addTestSecret(secrets, owner, projectId, "NEXT");
    expect(await overtaken("policy", removeProject, create)).toEqual([
      Reason.UNSPECIFIED,
      Reason.NOT_FOUND,
    ]);
  });

  test("the delete of a project by a restore in it: that waits, and finds no project", async () => {
    await remove();
    expect(await overtaken("policy", removeProject, restore)).toEqual([
      Reason.UNSPECIFIED,
      Reason.NOT_FOUND,
    ]);
  });

  test("a restore by the end of the 30 days, for which it waited: it finds nothing", async () => {
    await remove();
    expect(await amidThePurge(restore)).toBe(Reason.NOT_FOUND);
  });

  test("a restore, before policy hears of it, by a delete: policy hears last what is stored", async () => {
    await remove();
    const [restored, removed] = await overtaken("policy", restore, remove);
    expect([restored, removed]).toEqual([Reason.UNSPECIFIED, Reason.UNSPECIFIED]);
    const { secret } = await secrets.call(owner, getSecret, { secretId, showDeleted: true });
    expect(secrets.memory.retired.has(secretId)).toBe(secret?.deletedAt !== undefined);
    expect(secret?.deletedAt).toBeDefined();
  });
});

/** Numbers that look random and are the same for the same seed. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const done = new Set<string>();

/**
 * Whatever people do at once and whichever peer fails, what is stored and what policy knows fit
 * together in the end.
 */
describe.each([1, 2, 3, 4])("a crowd, seed %d", (seed) => {
  test("leaves a state that holds together", { timeout: 60_000 }, async () => {
    const random = randomOf(seed);
    const known = [secretId];
    const names = ["A", "B", "DB_URL"];
    const step = async (): Promise<void> => {
      const id = known.at(-1 - random(Math.min(known.length, 4))) ?? secretId;
      const { memory } = secrets;
      Object.assign(memory.down, { policy: random(20) === 0 });
      memory.lost.policy = random(20) === 0;
      switch (random(7)) {
        case 0: {
          const request = newSecretRequest(owner, projectId, names[random(names.length)] ?? "A");
          await secrets.call(owner, createSecret, request);
          known.push(request.secretId);
          return;
        }
        case 1:
        case 2:
          return void (await deleteTestSecret(secrets, owner, id));
        case 3:
        case 4:
          return void (await secrets.call(owner, restoreSecret, { secretId: id }));
        case 5: {
          const version = { projectId, secretId: id, expectedVersion: 1 + random(2) };
          return void (await addTestVersion(secrets, owner, version));
        }
        default:
          await removeProject();
          await secrets.call(owner, restoreProject, { projectId });
      }
    };
    const expected = new Set<Reason>([
      Reason.NOT_FOUND,
      Reason.ALREADY_EXISTS,
      Reason.VERSION_CONFLICT,
      Reason.PROJECT_NOT_EMPTY,
      Reason.DEPENDENCY_UNAVAILABLE,
    ]);
    await Promise.all(
      Array.from({ length: 6 }, async () => {
        for (let n = 0; n < 25; n += 1)
          await step().catch((error: unknown) =>
            expect(expected).toContain(failureOf(error).reason),
          );
      }),
    );

    resetFaults();
    await secrets.liveness.settleAll();
    await secrets.call(owner, restoreProject, { projectId });
    await holdsTogether();
    for (const { action } of secrets.memory.events) done.add(action);
  });
});

test("every crowd together did everything", () => {
  expect([...done]).toEqual(
    expect.arrayContaining([
      "secret.created",
      "secret.version.added",
      "secret.deleted",
      "secret.restored",
    ]),
  );
});

function resetFaults(): void {
  secrets.memory.down.policy = false;
  secrets.memory.lost.policy = false;
}

async function holdsTogether(): Promise<void> {
  const page = { projectId, showDeleted: true, pageSize: 1000 };
  const { secrets: all } = await secrets.call(owner, listSecrets, page);
  const living = all.filter(({ deletedAt }) => deletedAt === undefined);
  expect(new Set(living.map(({ name }) => name)).size, "names of the living").toBe(living.length);
  for (const { secretId: id, currentVersion, deletedAt } of all) {
    expect(secrets.memory.retired.has(id), `${id} hidden by policy`).toBe(deletedAt !== undefined);
    const versions = await secrets.database.query<{ version: number }>(
      "select version from versions where secret_id = $1 order by version",
      [id],
    );
    expect(versions.map(({ version }) => version)).toEqual(
      Array.from({ length: currentVersion }, (_, at) => at + 1),
    );
    const count = (action: string) =>
      secrets.memory.events.filter((event) => event.action === action && event.secretId === id)
        .length;
    await expect
      .poll(() => count("secret.deleted") - count("secret.restored"), { timeout: 5_000 })
      .toBe(deletedAt === undefined ? 0 : 1);
  }
  expect(await secrets.database.query("select id from unsettled")).toEqual([]);
}
