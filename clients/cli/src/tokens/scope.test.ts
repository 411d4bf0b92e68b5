import { createClient, createRouterTransport, ConnectError, Code } from "@connectrpc/connect";
import { ErrorInfoSchema } from "@sallyport/proto/gen/google/rpc/error_details_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { expect, test } from "vitest";
import { checkScope, findScope } from "./scope.ts";

const id = (prefix: string, digit: number): string => `${prefix}_${"0".repeat(19)}${digit}`;
const projects = new Map([
  ["web", id("prj", 1)],
  ["api", id("prj", 2)],
]);
const secrets = new Map([
  [`${id("prj", 1)}/DB_URL`, id("sec", 1)],
  [`${id("prj", 1)}/ONLY_WEB`, id("sec", 2)],
  [`${id("prj", 2)}/DB_URL`, id("sec", 3)],
  [`${id("prj", 2)}/ONLY_API`, id("sec", 4)],
]);

function notFound(): ConnectError {
  const info = {
    desc: ErrorInfoSchema,
    value: { reason: "NOT_FOUND", domain: "sallyport", metadata: {} },
  };
  return new ConnectError("x", Code.NotFound, undefined, [info]);
}

/** A vault of two projects, answered as the gateway does. */
function client() {
  const transport = createRouterTransport(({ service }) => {
    service(ProjectService, {
      getProject({ key }) {
        const found = [...projects].find(
          ([name, projectId]) => key.value === name || key.value === projectId,
        );
        if (!found) throw notFound();
        return { project: { name: found[0], projectId: found[1] } };
      },
    });
    service(SecretService, {
      getSecret({ projectId, name }) {
        const secretId = secrets.get(`${projectId}/${name}`);
        if (secretId === undefined) throw notFound();
        return { secret: { secretId, name, projectId } };
      },
    });
  });
  const services = {
    projects: createClient(ProjectService, transport),
    secrets: createClient(SecretService, transport),
  };
  return { services };
}

test.each<[string[], string[], number[], number[]]>([
  [["web"], ["DB_URL"], [1], [1]],
  [["web"], [], [1], []],
  [
    ["web", "api"],
    ["ONLY_WEB", "ONLY_API"],
    [1, 2],
    [2, 4],
  ],
  [[], ["web/DB_URL", "api/DB_URL"], [1, 2], [1, 3]],
  [["web"], ["DB_URL", "api/ONLY_API"], [1, 2], [1, 4]],
  [[id("prj", 2)], [`${id("prj", 2)}/DB_URL`, id("sec", 9)], [2], [3, 9]],
  [["web", id("prj", 1)], ["DB_URL", "web/DB_URL"], [1], [1]],
])("projects %j with secrets %j", async (project, secret, projectDigits, secretDigits) => {
  checkScope({ project, secret });
  expect(await findScope(client(), { project, secret })).toEqual({
    projectIds: projectDigits.map((digit) => id("prj", digit)),
    secretIds: secretDigits.map((digit) => id("sec", digit)),
  });
});

test.each<[string[], string[], string, RegExp]>([
  [["web", "api"], ["DB_URL"], "NAME_AMBIGUOUS", /^DB_URL is in web and api$/],
  [["web", "api"], ["NONE"], "NOT_FOUND", /^none of these projects has a secret NONE$/],
  [["web"], ["ONLY_API"], "NOT_FOUND", /ONLY_API/],
  [["other"], [], "NOT_FOUND", /^there is no project other$/],
  [["web"], ["other/DB_URL"], "NOT_FOUND", /^there is no project other$/],
])("projects %j with secrets %j: %s", async (project, secret, reason, message) => {
  await expect(findScope(client(), { project, secret })).rejects.toMatchObject({
    reason,
    message: expect.stringMatching(message) as string,
  });
});

test("what no token can hold is refused before anything is looked up", () => {
  const many = (count: number) => Array.from({ length: count }, (_, index) => `a${index}`);
  expect(() => checkScope({ project: many(101), secret: [] })).toThrow(
    "at most 100 projects, not 101",
  );
  expect(() => checkScope({ project: ["a"], secret: many(1001) })).toThrow(
    "at most 1000 secrets, not 1001",
  );
  expect(() => checkScope({ project: [], secret: ["A"] })).toThrow("no project is named");
});
