import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type Sallyport, enroll, openSallyport } from "@sallyport/client";
import { Outcome } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeCoreElsewhere } from "../runtimes/core.ts";
import { makeSecrets, makeToken, refusal, startMainJob, valuesOf } from "./deployment.ts";

let job: Awaited<ReturnType<typeof startMainJob>>;
let reader: Sallyport;

beforeAll(async () => {
  job = await startMainJob();
  reader = openSallyport(job.machine);
});
afterAll(async () => {
  reader.close();
  job.admin.close();
  await job.deployment[Symbol.asyncDispose]();
});

await describeCoreElsewhere(() => job);

describe("the main job, through all six processes", () => {
  test("a machine reads what it was granted, over Connect and over gRPC", async () => {
    const { DB_URL, API_KEY } = job.values;
    expect(valuesOf(await reader.read({ secretIds: job.granted }))).toEqual({ DB_URL, API_KEY });
    const grpc = openSallyport(job.machine, "grpc");
    expect(valuesOf(await grpc.read({ allGranted: true }))).toEqual({ DB_URL, API_KEY });
    grpc.close();
  });

  test("a secret without a grant is refused, and so is one that does not exist, in the same words", async () => {
    const absent = "sec_00000000000000000000";
    expect(await refusal(reader.read({ secretIds: [job.ids["OTHER"] ?? ""] }))).toBe("NOT_GRANTED");
    expect(await refusal(reader.read({ secretIds: [absent] }))).toBe("NOT_GRANTED");
  });

  test("all or nothing: one refusal refuses all; without it the refused one is named", async () => {
    const mixed = [...job.granted, job.ids["OTHER"] ?? ""];
    expect(await refusal(reader.read({ secretIds: mixed }))).toBe("NOT_GRANTED");
    const results = await reader.read({ secretIds: mixed }, { allOrNothing: false });
    expect(Object.keys(valuesOf(results)).toSorted()).toEqual(["API_KEY", "DB_URL"]);
    expect(
      results.filter((result) => result.kind === "refused").map((result) => result.secretId),
    ).toEqual([job.ids["OTHER"]]);
  });

  test("users manage and never read", async () => {
    expect(await refusal(job.admin.read({ secretIds: job.granted }))).toBe("ROLE_REQUIRED");
  });

  test("a new version is what is read next; the old one can be named once the grant allows", async () => {
    const secretId = job.ids["DB_URL"] ?? "";
    const next = {
      secretId,
      name: "DB_URL",
      projectId: job.projectId,
      projectName: "web",
      expectedVersion: 1,
      plaintext: Buffer.from("canary-second"),
    };
    expect((await job.admin.addVersion(next)).currentVersion).toBe(2);
    expect(await refusal(job.admin.addVersion(next))).toBe("VERSION_CONFLICT");
    expect(valuesOf(await reader.read({ secretIds: [secretId] }))).toEqual({
      DB_URL: "canary-second",
    });
    expect(await refusal(reader.read({ secretIds: [secretId], version: 1 }))).toBe("NOT_GRANTED");
    const machineId = job.machine.principalId;
    await job.admin.services.grants.addGrant({ machineId, secretId, anyVersion: true });
    expect(valuesOf(await reader.read({ secretIds: [secretId], version: 1 }))).toEqual({
      DB_URL: job.values.DB_URL,
    });
    expect(await refusal(reader.read({ secretIds: [secretId], version: 3 }))).toBe("NOT_FOUND");
  });

  test("a grant taken back or a machine revoked: the next read is refused", async () => {
    const machine = await enroll(job.deployment.endpoint, job.token, { name: "short-lived" });
    const client = openSallyport(machine);
    const [first = ""] = job.granted;
    await client.read({ secretIds: [first] });
    await job.admin.services.grants.removeGrant({
      machineId: machine.principalId,
      secretId: first,
    });
    expect(await refusal(client.read({ secretIds: [first] }))).toBe("NOT_GRANTED");
    await job.admin.services.machines.revokeMachine({
      machineId: machine.principalId,
      reason: "test",
    });
    expect(await refusal(client.read({ allGranted: true }))).toBe("MACHINE_DISABLED");
    client.close();
  });

  test("a machine without grants is answered with a signed nothing; 101 secrets arrive over two signed pages", async () => {
    const { deployment, admin, owner } = job;
    const names = Array.from({ length: 101 }, (_, index) => `PAGED_${index}`);
    const { projectId, ids } = await makeSecrets(
      admin,
      "paged",
      Object.fromEntries(names.map((name) => [name, name])),
    );
    const none = await enroll(
      deployment.endpoint,
      await makeToken(admin, owner, { projectId, secretIds: [] }),
    );
    const all = await enroll(
      deployment.endpoint,
      await makeToken(admin, owner, { projectId, secretIds: Object.values(ids) }),
    );
    const [empty, full] = [openSallyport(none), openSallyport(all)];
    expect(await empty.read({ allGranted: true })).toEqual([]);
    expect(await empty.read({ projectId })).toEqual([]);
    expect(Object.keys(valuesOf(await full.read({ projectId }))).toSorted()).toEqual(
      names.toSorted(),
    );
    empty.close();
    full.close();
  });

  test("every read and refusal is on record, and no value is in a record or a log", async () => {
    const { records } = await job.admin.services.audit.listRecords({
      pageSize: 200,
      machineId: job.machine.principalId,
    });
    const reads = records.filter((record) => record.action === "secret.read");
    expect(new Set(reads.map((record) => record.secretId))).toEqual(new Set(job.granted));
    expect(
      reads.every((record) => record.outcome === Outcome.ALLOWED && record.emitter === "crypto"),
    ).toBe(true);
    const denied = records.filter((record) => record.action === "secret.read.denied");
    expect(
      denied.some(
        (record) => record.secretId === job.ids["OTHER"] && record.reason === "NOT_GRANTED",
      ),
    ).toBe(true);
    const { logs } = job.deployment.system.layout;
    const texts = readdirSync(logs).map((file) => readFileSync(join(logs, file), "utf8"));
    const recorded = records.map(
      (record) =>
        Object.values(record).map(String).join(" ") + Object.values(record.detail).join(" "),
    );
    for (const text of [...texts, ...recorded]) expect(text).not.toMatch(/canary-/);
  });

  test("the log has no gap", async () => {
    const seqs: bigint[] = [];
    let pageToken = "";
    do {
      const page = await job.admin.services.audit.listRecords({ pageSize: 200, pageToken });
      seqs.push(...page.records.map((record) => record.seq));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(new Set(seqs).size).toBe(seqs.length);
    expect(seqs).toEqual(seqs.toSorted((a, b) => (a < b ? 1 : -1)));
  });
});
