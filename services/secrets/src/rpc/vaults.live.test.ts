import { randomBytes } from "node:crypto";
import type {
  DescMethod,
  DescMethodUnary,
  DescService,
  MessageInitShape,
} from "@bufbuild/protobuf";
import { FetchService } from "@sallyport/proto/gen/sallyport/secrets/internal/v1/fetch_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { type SigningUser, newUser } from "@sallyport/test/infra";
import { beforeAll, describe, expect, test } from "vitest";
import {
  type TestSecrets,
  actionsOf,
  addTestProject,
  addTestSecret,
  addTestVersion,
  deleteTestSecret,
  sealedValue,
  startTestSecrets,
  newSecretRequest,
} from "../testing/secrets.ts";
import { failureOf } from "@sallyport/rpc";

/** Things of one vault, living and deleted, whose ids a stranger got to know. */
type Known = {
  readonly projectId: string;
  readonly secretId: string;
  readonly deletedId: string;
  readonly deletedProjectId: string;
};

let secrets: TestSecrets;
let owner: SigningUser;
let known: Known;
let stranger: SigningUser;
let strangersProject: string;

beforeAll(async () => {
  secrets = await startTestSecrets();
  owner = newUser();
  const projectId = await addTestProject(secrets, owner, "web");
  const secretId = await addTestSecret(secrets, owner, projectId, "DB_URL");
  await addTestVersion(secrets, owner, { projectId, secretId, expectedVersion: 1 });
  const deletedId = await addTestSecret(secrets, owner, projectId, "OLD");
  await deleteTestSecret(secrets, owner, deletedId);
  const deletedProjectId = await addTestProject(secrets, owner, "gone");
  const deletion = { projectId: deletedProjectId, name: "gone" };
  await secrets.call(owner, ProjectService.method.deleteProject, deletion);
  known = { projectId, secretId, deletedId, deletedProjectId };
  stranger = newUser();
  strangersProject = await addTestProject(secrets, stranger, "mine");
  return () => secrets[Symbol.asyncDispose]();
});

/**
 * Ids that nothing bears: what a stranger is told about these he is told about the ids of others.
 */
const unknown = (): Known => ({
  projectId: newId("prj"),
  secretId: newId("sec"),
  deletedId: newId("sec"),
  deletedProjectId: newId("prj"),
});

type Requests<S extends DescService> = {
  readonly [M in keyof S["method"]]: (
    ids: Known,
  ) => readonly MessageInitShape<S["method"][M]["input"]>[];
};

// Every method: one that is not here does not compile. Each with everything that it could be asked
// about others' things.
const projectRequests: Requests<typeof ProjectService> = {
  createProject: () => [],
  listProjects: () => [{}, { showDeleted: true }],
  getProject: ({ projectId, deletedProjectId }) => [
    { key: { case: "projectId", value: projectId } },
    { key: { case: "projectId", value: deletedProjectId }, showDeleted: true },
    { key: { case: "name", value: "web" } },
  ],
  deleteProject: ({ projectId }) => [{ projectId, name: "web" }],
  restoreProject: ({ projectId, deletedProjectId }) => [
    { projectId },
    { projectId: deletedProjectId },
  ],
};
const value = sealedValue();
const secretRequests: Requests<typeof SecretService> = {
  createSecret: ({ projectId, secretId, deletedId }) => [
    newSecretRequest(stranger, projectId, "NEW"),
    ...[secretId, deletedId].map((id) => ({
      ...newSecretRequest(stranger, strangersProject, "NEW"),
      secretId: id,
    })),
  ],
  getSecret: ({ projectId, secretId, deletedId }) => [
    { secretId },
    { secretId: deletedId, showDeleted: true },
    { projectId, name: "DB_URL" },
  ],
  batchGetSecrets: ({ secretId, deletedId }) => [
    { secretIds: [secretId, deletedId], showDeleted: true },
  ],
  listSecrets: ({ projectId, deletedProjectId }) => [
    { projectId, showDeleted: true },
    { projectId: deletedProjectId, showDeleted: true },
  ],
  updateSecret: ({ secretId, deletedId }) => [
    { secretId, note: "mine now" },
    { secretId: deletedId, note: "mine now" },
  ],
  deleteSecret: ({ secretId, deletedId }) => [{ secretId }, { secretId: deletedId }],
  restoreSecret: ({ secretId, deletedId }) => [{ secretId }, { secretId: deletedId }],
  addVersion: ({ projectId, secretId }) => [
    { secretId, projectId, expectedVersion: 2, value },
    { secretId, projectId: strangersProject, expectedVersion: 2, value },
  ],
  rollbackSecret: ({ projectId, secretId }) => [
    { secretId, projectId, expectedVersion: 2, toVersion: 1 },
    { secretId, projectId: strangersProject, expectedVersion: 2, toVersion: 1 },
  ],
  listVersions: ({ secretId, deletedId }) => [{ secretId }, { secretId: deletedId }],
};

function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === "unary";
}

async function outcomeOf(method: DescMethod, request: Record<string, unknown>): Promise<unknown> {
  if (!isUnary(method)) throw new Error(`${method.name} is not unary`);
  return secrets.call(stranger, method, request).catch((error: unknown) => {
    const { reason, metadata } = failureOf(error);
    return { reason, metadata };
  });
}

async function everything(): Promise<unknown[]> {
  const tables = ["projects", "project_keys", "secrets", "versions", "unsettled"];
  const rows = await Promise.all(
    tables.map((table) =>
      secrets.database.query(
        `select to_jsonb(t) as row from ${table} t order by to_jsonb(t)::text`,
      ),
    ),
  );
  return rows;
}

describe.each([
  { service: ProjectService, requests: projectRequests },
  { service: SecretService, requests: secretRequests },
])("$service.typeName, asked by a stranger", ({ service, requests }) => {
  const byName: Readonly<Record<string, (ids: Known) => readonly Record<string, unknown>[]>> =
    requests;
  test.each(service.methods.map((method) => ({ name: method.name, method })))(
    "$name answers about others' things as about nothing, and changes nothing",
    async ({ method }) => {
      const before = await everything();
      secrets.memory.events.length = 0;
      secrets.memory.told.length = 0;
      const asked = byName[method.localName];
      if (!asked) throw new Error("no requests");
      const ofOthers = asked(known);
      const ofNothing = asked(unknown());
      for (const [at, request] of ofOthers.entries()) {
        const outcome = await outcomeOf(method, request);
        expect(outcome).toEqual(await outcomeOf(method, ofNothing[at] ?? {}));
        const told = JSON.stringify(outcome, (_, part: unknown) =>
          typeof part === "bigint" ? String(part) : part,
        );
        for (const id of [...Object.values(known), owner.userId, owner.vaultId])
          expect(told).not.toContain(id);
      }
      expect(await everything()).toEqual(before);
      expect([actionsOf(secrets), secrets.memory.told]).toEqual([[], []]);
    },
  );
});

describe("FetchService, asked for another vault", () => {
  test("is all that there is to walk", () => {
    expect(FetchService.methods.map(({ name }) => name)).toEqual(["Fetch"]);
  });

  test("Fetch answers with nothing, whether secret, version and life exist or not", async () => {
    const { secretId, deletedId } = known;
    const asked = [
      [stranger.vaultId, secretId, 0],
      [stranger.vaultId, secretId, 1],
      [stranger.vaultId, secretId, 9],
      [stranger.vaultId, deletedId, 0],
      [stranger.vaultId, newId("sec"), 0],
      [owner.vaultId, secretId, 9],
      [owner.vaultId, deletedId, 0],
      [owner.vaultId, deletedId, 1],
      [owner.vaultId, newId("sec"), 1],
    ] as const;
    const items = asked.map(([vault, id, requestedVersion]) => ({
      requestDigest: randomBytes(32),
      vaultId: vault,
      secretIds: [id],
      requestedVersion,
    }));
    const { results } = await secrets.fetching.fetch({ items });
    expect(results.map((result) => result.secrets)).toEqual(asked.map(() => []));
  });
});
