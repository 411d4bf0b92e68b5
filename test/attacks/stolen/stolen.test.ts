import { afterAll, beforeAll } from "vitest";
import { type Field, layOutField } from "../field.ts";
import { describeAnswerKeys } from "./answers.ts";
import { describeAudit } from "./audit.ts";
import { describeDatabases } from "./databases.ts";
import { describeIdentity } from "./identity.ts";
import { describePolicy } from "./policy.ts";
import { describeProcesses } from "./processes.ts";
import { describeRedis } from "./redis.ts";
import { describeSecrets } from "./secrets.ts";

let current: Field | undefined;

beforeAll(async () => {
  current = await layOutField();
});
afterAll(() => current?.[Symbol.asyncDispose]());

function field(): Field {
  if (!current) throw new Error("the deployment did not start");
  return current;
}

describeProcesses(field);
describePolicy(field);
describeSecrets(field);
describeDatabases(field);
describeRedis(field);
describeIdentity(field);
describeAudit(field);
describeAnswerKeys(field);
