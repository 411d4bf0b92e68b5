import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { AuthorizeResult } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { fullSeconds } from "../testing/memory-peers.ts";
import {
  type TestPolicy,
  type TestProject,
  addTestProject,
  readOf,
  scopeOf,
  startTestPolicy,
} from "../testing/policy.ts";
import { denialRate, listedSecrets } from "./denials.ts";

let policy: TestPolicy;
let project: TestProject;
let scope: ReturnType<typeof scopeOf>;
let granted: string;

beforeAll(async () => {
  policy = await startTestPolicy();
  project = await addTestProject(policy, 30);
  return () => policy[Symbol.asyncDispose]();
});

// Each test has a machine of its own, and so a budget of its own.
beforeEach(async () => {
  [granted = ""] = project.secretIds;
  scope = scopeOf(project, [granted]);
  await policy.scope.applyScope(scope);
  policy.audit.events.length = 0;
  policy.audit.full = false;
});

const madeUp = (count: number) => Array.from({ length: count }, () => newId("sec"));

async function read(secretIds: string[], machineId = scope.machineId): Promise<AuthorizeResult> {
  const item = readOf(project.vaultId, machineId, secretIds);
  const [result] = (await policy.authorization.authorize({ items: [item] })).results;
  if (!result) throw new Error("no result");
  return result;
}

const actions = () => policy.audit.events.map(({ action }) => action);
const exceeded = () =>
  policy.audit.events.filter(({ action }) => action === "machine.denials_exceeded");

test("a decision is one record, however many secrets it refuses; it lists 16 and counts all", async () => {
  await read([...madeUp(70), ...project.secretIds.slice(1)]);
  const [denial, ...others] = policy.audit.events;
  expect(others).toEqual([]);
  expect(denial).toMatchObject({
    action: "secret.read.denied",
    secretId: "",
    originId: scope.tokenId,
    detail: { secrets: "99" },
  });
  expect(denial?.refused).toHaveLength(listedSecrets);
  const existing = new Set(project.secretIds);
  expect(denial?.refused.every(({ secretId }) => existing.has(secretId))).toBe(true);
});

test("a single refused secret is named as ever", async () => {
  const [secretId = ""] = madeUp(1);
  await read([granted, secretId]);
  expect(policy.audit.events).toMatchObject([
    { secretId, refused: [], detail: { selector: "current" } },
  ]);
});

test("the denial of a machine that policy does not know names no token", async () => {
  const machineId = newId("mch");
  await read(madeUp(1), machineId);
  expect(policy.audit.events).toMatchObject([{ machineId, originId: "" }]);
});

test("beyond its budget a machine is told to wait, and one alarm stands for all; its grants go on", async () => {
  for (let count = 0; count < denialRate.burst; count += 1)
    expect((await read(madeUp(1))).refusal?.reason).toBe(Reason.NOT_GRANTED);
  expect(policy.audit.events).toHaveLength(denialRate.burst);
  for (let count = 0; count < 50; count += 1) {
    const { refusal, secrets, permit } = await read([granted, ...madeUp(99)]);
    expect(refusal).toMatchObject({ reason: Reason.RATE_LIMITED, metadata: {} });
    expect(refusal?.retryAfter).toBeDefined();
    // Nothing of the decision is told.
    expect([secrets, permit]).toEqual([[], undefined]);
  }
  await expect.poll(() => exceeded().length).toBe(1);
  expect(policy.audit.events).toHaveLength(denialRate.burst + 1);
  expect(exceeded()).toMatchObject([
    { machineId: scope.machineId, reason: "NOT_GRANTED", detail: { count: "1" } },
  ]);
  expect((await read([granted])).permit).toBeDefined();

  const other = scopeOf(project, [granted]);
  await policy.scope.applyScope(other);
  expect((await read(madeUp(1), other.machineId)).refusal?.reason).toBe(Reason.NOT_GRANTED);

  policy.time.steadyMs += 60_000;
  expect((await read(madeUp(1))).refusal?.reason).toBe(Reason.NOT_GRANTED);
});

test("a log that takes no more of the machine's token is a limit, not a fault", async () => {
  policy.audit.full = true;
  const { refusal } = await read(madeUp(1));
  expect(refusal).toMatchObject({
    reason: Reason.RATE_LIMITED,
    retryAfter: { seconds: fullSeconds },
  });
  await expect.poll(() => exceeded().length).toBe(1);
  policy.audit.full = false;
  expect((await read(madeUp(1))).refusal?.reason).toBe(Reason.NOT_GRANTED);
});

test("what an enrollment makes names its token, so that it takes from the token's room", async () => {
  await policy.scope.applyScope({ ...scopeOf(project, [granted]), tokenId: scope.tokenId });
  await expect.poll(() => actions()).toEqual(["membership.added", "grant.added"]);
  expect(policy.audit.events.every(({ originId }) => originId === scope.tokenId)).toBe(true);
});
