import { openSallyport, toSallyportError } from "@sallyport/client";
import { processes } from "@sallyport/deploy/local";
import {
  ActorKind,
  type Record as AuditRecord,
  RecordScope,
} from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { expect, test } from "vitest";
import { startMainJob, valuesOf } from "./deployment.ts";

test("every start is on record for the operator's vault, also of those that start while the log is away", async () => {
  const job = await startMainJob();
  await using deployment = job.deployment;
  const { system } = deployment;
  job.admin.close();

  const starts = async (): Promise<AuditRecord[]> => {
    const admin = openSallyport(job.owner);
    try {
      const query = { scope: RecordScope.DEPLOYMENT, actions: ["process.started"], pageSize: 200 };
      return (await admin.services.audit.listRecords(query)).records;
    } finally {
      admin.close();
    }
  };
  const timesStarted = async () => {
    const emitters = (await starts()).map(({ emitter }) => emitter);
    return Object.fromEntries(
      processes.map((name) => [name, emitters.filter((emitter) => emitter === name).length]),
    );
  };
  const everyone = (times: number) => Object.fromEntries(processes.map((name) => [name, times]));
  await expect.poll(timesStarted, { timeout: 10_000 }).toEqual(everyone(1));

  for (const { emitter, actorKind, actorId, vaultId, detail } of await starts()) {
    expect({ actorKind, actorId, vaultId }).toEqual({
      actorKind: ActorKind.SERVICE,
      actorId: emitter,
      vaultId: "",
    });
    expect(detail).toMatchObject({
      node: process.version,
      trust_domain: "sallyport.local",
      public_names: new URL(system.url).host,
      clock_window_seconds: "60",
      keyset_epoch: "1",
      root_fingerprint: system.rootFingerprint,
    });
    expect(detail["listen"]).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(/^file:[0-9a-f]{32}$/.test(detail["kek_fingerprint"] ?? "")).toBe(emitter === "crypto");
    expect(detail["log_key"] !== undefined).toBe(emitter === "audit");
    expect(detail["operator_vault"]).toBe(emitter === "audit" ? job.owner.vaultId : undefined);
  }

  await system.stopProcess("audit");
  const others = processes.filter((name) => name !== "audit");
  for (const name of others.toReversed()) await system.stopProcess(name);
  for (const name of others) await system.startProcess(name);
  const machine = { ...job.machine, ...deployment.endpoint };
  const read = async () => {
    const reader = openSallyport(machine);
    try {
      return valuesOf(await reader.read({ secretIds: job.granted }));
    } finally {
      reader.close();
    }
  };
  const refusal = await read().catch(toSallyportError);
  expect(refusal).toMatchObject({ reason: "DEPENDENCY_UNAVAILABLE" });

  await system.startProcess("audit");
  await expect.poll(timesStarted, { timeout: 20_000 }).toEqual(everyone(2));
  const instances = (await starts()).map(({ detail }) => detail["instance"]);
  expect(new Set(instances).size).toBe(instances.length);
  await expect.poll(read, { timeout: 15_000 }).toMatchObject({ DB_URL: job.values.DB_URL });
}, 120_000);
