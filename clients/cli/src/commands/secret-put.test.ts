import { create } from "@bufbuild/protobuf";
import { createClient, createRouterTransport } from "@connectrpc/connect";
import type { NewSecret, NewVersion } from "@sallyport/client";
import { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import {
  SecretSchema,
  SecretService,
} from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { expect, test } from "vitest";
import { put } from "./secret-put.ts";

const told = { projectId: "prj_00000000000000000009", name: "told-project" };
const secretId = "sec_00000000000000000009";
const plaintext = Buffer.from("a value");
const value = { plaintext, kind: ValueKind.SINGLE };

/**
 * A gateway that answers every lookup with the same project and secret, and what the client would
 * seal.
 */
function writerAt(secretExists: boolean) {
  const created: NewSecret[] = [];
  const added: NewVersion[] = [];
  const transport = createRouterTransport(({ service }) => {
    service(ProjectService, { getProject: () => ({ project: told }) });
    service(SecretService, {
      getSecret: () =>
        secretExists ? { secret: { secretId, name: "TOLD_SECRET", currentVersion: 3 } } : {},
    });
  });
  const writer = {
    services: {
      projects: createClient(ProjectService, transport),
      secrets: createClient(SecretService, transport),
    },
    async createSecret(secret: NewSecret) {
      created.push(secret);
      return create(SecretSchema);
    },
    async addVersion(version: NewVersion) {
      added.push(version);
      return create(SecretSchema);
    },
  };
  return { writer, created, added };
}

test("a new version is sealed for the names that were typed, not for those that were told", async () => {
  const { writer, added } = writerAt(true);
  await put(writer, "DB_URL", value, { project: "web", allowDangerousName: false });
  const { projectId } = told;
  const names = { name: "DB_URL", projectName: "web" };
  expect(added).toEqual([{ ...names, secretId, projectId, expectedVersion: 3, ...value }]);
});

test("a new secret is sealed for the names that were typed", async () => {
  const { writer, created } = writerAt(false);
  await put(writer, "DB_URL", value, { project: "web", allowDangerousName: false });
  expect(created).toMatchObject([
    { name: "DB_URL", projectName: "web", projectId: told.projectId },
  ]);
});

test("a project that was typed as an id stays that id; only its name is the one that was told", async () => {
  const typed = "prj_00000000000000000001";
  const { writer, added } = writerAt(true);
  await put(writer, "DB_URL", value, { project: typed, allowDangerousName: false });
  expect(added).toMatchObject([{ name: "DB_URL", projectId: typed, projectName: "told-project" }]);
});

test("a value is not stored unless the secret is at the version that was expected", async () => {
  const { writer, added, created } = writerAt(true);
  const place = { project: "web", allowDangerousName: false };
  await expect(
    put(writer, "DB_URL", value, { ...place, expectedVersion: 2 }),
  ).rejects.toMatchObject({
    reason: "VERSION_CONFLICT",
    message: "DB_URL is at version 3, not 2",
  });
  await expect(put(writer, "DB_URL", value, { ...place, expectedVersion: 0 })).rejects.toThrow(
    "not 0",
  );
  const without = writerAt(false);
  await expect(
    put(without.writer, "DB_URL", value, { ...place, expectedVersion: 1 }),
  ).rejects.toThrow("not 1");
  expect([...added, ...created, ...without.created]).toEqual([]);
  await put(writer, "DB_URL", value, { ...place, expectedVersion: 3 });
  await put(without.writer, "DB_URL", value, { ...place, expectedVersion: 0 });
  expect([added, without.created]).toEqual([[expect.anything()], [expect.anything()]]);
});
