import { type Identity, type Sallyport, enroll, openSallyport } from "@sallyport/client";
import type { SystemOptions } from "@sallyport/deploy/local";
import type { Record as AuditRecord } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  loginOwner,
  makeSecrets,
  makeToken,
  refusal,
  startDeployment,
} from "../system/deployment.ts";

// The fewest that may be set, so that the end is soon reached: 1,250 at once by one machine.
const perDay = "10000";
const machineBurst = 1_250;
const secretCount = 50;

let deployment: Awaited<ReturnType<typeof startDeployment>>;
let owner: Identity;
let admin: Sallyport;
let projectId: string;
let secretIds: string[];

beforeAll(async () => {
  const settings: SystemOptions["settings"] = (name): Record<string, string> =>
    name === "audit" ? { SALLYPORT_RECORDS_PER_ORIGIN_PER_DAY: perDay } : {};
  deployment = await startDeployment(undefined, {}, { settings });
  owner = await loginOwner(deployment);
  admin = openSallyport(owner);
  const values = Array.from({ length: secretCount }, (_, index) => [`S_${index}`, "kept"] as const);
  const made = await makeSecrets(admin, "web", Object.fromEntries(values));
  ({ projectId } = made);
  secretIds = Object.values(made.ids);
}, 120_000);
afterAll(async () => {
  admin.close();
  await deployment[Symbol.asyncDispose]();
});

const newToken = (uses: number) => makeToken(admin, owner, { projectId, secretIds, uses });

/** Does something so many times, eight at a time, and counts the reasons. */
async function reasonsOf(times: number, act: () => Promise<unknown>): Promise<Map<string, number>> {
  const reasons = new Map<string, number>();
  for (let done = 0; done < times; done += 8)
    for (const reason of await Promise.all(Array.from({ length: 8 }, () => refusal(act()))))
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  return reasons;
}

async function recordsOf(filter: Parameters<typeof admin.services.audit.listRecords>[0]) {
  const all: AuditRecord[] = [];
  for (let pageToken = ""; ;) {
    const query = { ...filter, pageSize: 200, pageToken };
    const page = await admin.services.audit.listRecords(query);
    all.push(...page.records);
    pageToken = page.nextPageToken;
    if (pageToken === "") return all;
  }
}

test("a machine that asks for what it was not granted has a record for a decision, and an alarm for the rest", async () => {
  const machine = await enroll(deployment.endpoint, await newToken(1), { name: "asker" });
  const asker = openSallyport(machine);
  const ask = () => asker.read({ secretIds: Array.from({ length: 100 }, () => newId("sec")) });
  const reasons = await reasonsOf(240, ask);
  expect([...reasons.keys()].sort()).toEqual(["NOT_GRANTED", "RATE_LIMITED"]);
  const machineId = machine.principalId;
  const denied = await recordsOf({ machineId, actions: ["secret.read.denied"] });
  expect(denied.length).toBe(reasons.get("NOT_GRANTED"));
  // 24,000 secrets were refused; 100 decisions had a record at once, and 100 a minute after.
  expect(denied.length).toBeLessThan(240);
  expect(denied[0]).toMatchObject({ secretId: "", detail: { secrets: "100" } });
  expect(denied[0]?.refused).toHaveLength(16);
  const bySecret = await recordsOf({ secretId: denied[0]?.refused[3]?.secretId ?? "" });
  expect(bySecret.map(({ seq }) => seq)).toEqual([denied[0]?.seq]);
  const alarms = () => recordsOf({ machineId, actions: ["machine.denials_exceeded"] });
  await expect.poll(async () => (await alarms()).length).toBeGreaterThan(0);
  expect((await alarms()).length).toBeLessThanOrEqual(2);
  asker.close();
});

test("a machine that reads without end is opened nothing beyond what it may have recorded; others go on", async () => {
  const token = await newToken(3);
  const machine = await enroll(deployment.endpoint, token, { name: "reader" });
  const reader = openSallyport(machine);
  const reasons = await reasonsOf(80, () => reader.read({ secretIds }));
  expect([...reasons.keys()].sort()).toEqual(["RATE_LIMITED", "not refused"]);
  const { principalId: machineId } = machine;
  const reads = await recordsOf({ machineId, actions: ["secret.read"] });
  // A value without a record there is not, nor the record of a value that was refused.
  expect(reads.length).toBe((reasons.get("not refused") ?? 0) * secretCount);
  expect(reads.length).toBeLessThanOrEqual(machineBurst + 10);
  const told = await recordsOf({
    machineId,
    actions: ["records.limit_near", "records.limit_reached"],
  });
  expect(new Set(told.map(({ action }) => action))).toEqual(
    new Set(["records.limit_near", "records.limit_reached"]),
  );
  expect(told.length).toBeLessThanOrEqual(4);

  const other = openSallyport(
    await enroll(deployment.endpoint, await newToken(1), { name: "other" }),
  );
  expect(await other.read({ secretIds })).toHaveLength(secretCount);
  // What people do about it is recorded as ever.
  await admin.services.machines.revokeMachine({ machineId });
  expect(await recordsOf({ machineId, actions: ["machine.revoked"] })).toHaveLength(1);
  other.close();
  reader.close();
});

test("the holder of a spent token has records of its own for the first uses, and counts for the rest", async () => {
  const token = await newToken(1);
  await enroll(deployment.endpoint, token, { name: "first" });
  const reasons = await reasonsOf(80, () => enroll(deployment.endpoint, token, { name: "late" }));
  expect([...reasons.keys()]).toEqual(["TOKEN_EXHAUSTED"]);
  const refused = await recordsOf({ actions: ["token.refused"] });
  expect(refused.length).toBeGreaterThanOrEqual(21);
  expect(refused.length).toBeLessThan(60);
});
