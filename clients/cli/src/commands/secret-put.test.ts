import { create } from "@bufbuild/protobuf";
import { createClient, createRouterTransport } from "@connectrpc/connect";
import type { NewSecret, NewVersion } from "@sallyport/client";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { SecretSchema, SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { expect, test } from "vitest";
import { put } from "./secret-put.ts";

const told = { projectId: "prj_00000000000000000009", name: "told-project" };
const secretId = "sec_00000000000000000009";
const plaintext = Buffer.from("a value");

/** A gateway that answers every lookup with the same project and secret, and what the client would seal. */
function writerAt(secretExists: boolean) {
  const created: NewSecret[] = [];
  const added: NewVersion[] = [];
  const transport = createRouterTransport(({ service }) => {
    service(ProjectService, { getProject: () => ({ project: told }) });
    service(SecretService, {
      getSecret: () => (secretExists ? { secret: { secretId, name: "TOLD_SECRET", currentVersion: 3 } } : {}),
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
  await put(writer, "DB_URL", plaintext, { project: "web", allowDangerousName: false });
  const { projectId } = told;
  const names = { name: "DB_URL", projectName: "web" };
  expect(added).toEqual([{ ...names, secretId, projectId, expectedVersion: 3, plaintext }]);
});

test("a new secret is sealed for the names that were typed", async () => {
  const { writer, created } = writerAt(false);
  await put(writer, "DB_URL", plaintext, { project: "web", allowDangerousName: false });
  expect(created).toMatchObject([{ name: "DB_URL", projectName: "web", projectId: told.projectId }]);
});

test("a project that was typed as an id stays that id; only its name is the one that was told", async () => {
  const typed = "prj_00000000000000000001";
  const { writer, added } = writerAt(true);
  await put(writer, "DB_URL", plaintext, { project: typed, allowDangerousName: false });
  expect(added).toMatchObject([{ name: "DB_URL", projectId: typed, projectName: "told-project" }]);
});
