import type { Sallyport } from "@sallyport/client";
import { RecordScope } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { expect, test } from "vitest";
import { type Filters, queryOf } from "./filters.ts";

const none: Filters = {
  actor: undefined,
  machine: undefined,
  secret: undefined,
  project: undefined,
  subject: undefined,
  action: [],
  outcome: undefined,
  reason: [],
  source: undefined,
  deployment: false,
};
// Nothing is looked up by name here.
const client = {} as Sallyport;

test("what belongs to no vault is not looked for in one: the list would be empty, and say nothing", async () => {
  for (const action of [["process.started"], ["process.*"], ["process.started", "process.*"]])
    await expect(queryOf(client, { ...none, action })).rejects.toMatchObject({
      reason: "USAGE",
      next: expect.stringContaining("--deployment") as unknown,
    });
  const asked = await queryOf(client, { ...none, action: ["process.started"], deployment: true });
  expect(asked).toMatchObject({ actions: ["process.started"], scope: RecordScope.DEPLOYMENT });
});

test("beside what is in a vault, or without an action, it is no fault", async () => {
  const both = await queryOf(client, { ...none, action: ["process.started", "secret.read"] });
  expect(both).toMatchObject({
    actions: ["process.started", "secret.read"],
    scope: RecordScope.VAULT,
  });
  expect(await queryOf(client, none)).toMatchObject({ actions: [] });
});
