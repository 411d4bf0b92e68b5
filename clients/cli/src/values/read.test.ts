import { create } from "@bufbuild/protobuf";
import { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ReadableSecretSchema } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { expect, test } from "vitest";
import { choiceOf } from "./options.ts";
import { nameAll } from "./read.ts";
import type { ReadSecret } from "./select.ts";
import { variablesOf } from "./variables.ts";

const ids = ["sec_00000000000000000000", "sec_00000000000000000001"] as const;
const projects = ["web", "api"] as const;
const secrets = ids.map((secretId, index): ReadSecret => ({
  kind: "value",
  secretId,
  projectId: `prj_${index}`,
  name: "DB_URL",
  version: 1,
  valueKind: ValueKind.SINGLE,
  plaintext: Buffer.from(`of ${projects[index] ?? ""}`),
}));
const client = {
  listReadable: async () =>
    ids.map((secretId, index) =>
      create(ReadableSecretSchema, { secretId, projectName: projects[index] ?? "" }),
    ),
};
const options = {
  project: undefined,
  prefix: "",
  allowDangerousNames: false,
  only: [],
  except: [],
  map: [],
};

test("of two secrets that would have one name it is said in which projects they are", async () => {
  const { naming } = choiceOf(options, true);
  await expect(nameAll(client, secrets, naming)).rejects.toMatchObject({
    reason: "NAME_UNFIT",
    message: "web/DB_URL and api/DB_URL would both be called DB_URL",
    next: "rename one with --map NEW_NAME=api/DB_URL, or choose with --only, --except or --project",
  });
});

test("what that says to type does it: one of them is mapped by its project and name", () => {
  const { selection, naming } = choiceOf({ ...options, map: ["API_DB=api/DB_URL"] }, true);
  expect(selection).toMatchObject({ named: [], withProjects: true });
  const placed = secrets.map((secret, index) => ({ ...secret, project: projects[index] ?? "" }));
  const named = variablesOf(placed, naming).map(
    ({ name, plaintext }) => `${name} ${plaintext.toString()}`,
  );
  expect(named).toEqual(["DB_URL of web", "API_DB of api"]);
});

test.each([
  [{ only: ["A"], except: ["B"] }, /--only and --except/],
  [{ except: ["B"], map: ["X=B"] }, /--map and --except both name B/],
])("%j contradicts itself", (change, message) => {
  expect(() => choiceOf({ ...options, ...change }, true)).toThrow(message);
});
