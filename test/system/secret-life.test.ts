import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Identity, type Sallyport, enroll, openSallyport } from "@sallyport/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { percentile } from "../load/figures.ts";
import { openDatabase } from "./databases.ts";
import {
  type Deployment,
  loginOwner,
  makeSecrets,
  makeToken,
  refusal,
  startDeployment,
  valuesOf,
} from "./deployment.ts";

const dir = mkdtempSync(join(tmpdir(), "sallyport-life-"));
let deployment: Deployment;
let owner: Identity;
let admin: Sallyport;
let machine: Identity;
let reader: Sallyport;
let projectId: string;
let secretId: string;

beforeAll(async () => {
  deployment = await startDeployment(dir);
  owner = await loginOwner(deployment);
  admin = openSallyport(owner);
  const made = await makeSecrets(admin, "web", { DB_URL: "canary-db", API_KEY: "canary-key" });
  projectId = made.projectId;
  secretId = made.ids["DB_URL"] ?? "";
  const token = await makeToken(admin, owner, { projectId, secretIds: Object.values(made.ids) });
  machine = await enroll(deployment.endpoint, token);
  reader = openSallyport(machine);
});
afterAll(async () => {
  reader.close();
  admin.close();
  await deployment[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

const read = () => reader.read({ secretIds: [secretId] });
const median = (times: readonly number[]) => percentile(times, 0.5);

async function actions(about: string): Promise<string[]> {
  const { records } = await admin.services.audit.listRecords({ pageSize: 200, secretId: about });
  return records.map(({ action }) => action);
}

describe("a deleted secret", () => {
  test("is read by nobody from the answer on, and by whom it was granted once it is restored", async () => {
    const deletes: number[] = [];
    const refusals: number[] = [];
    for (let n = 0; n < 10; n += 1) {
      expect(valuesOf(await read())).toEqual({ DB_URL: "canary-db" });
      const before = performance.now();
      await admin.services.secrets.deleteSecret({ secretId });
      const acknowledged = performance.now();
      expect(await refusal(read())).toBe("NOT_GRANTED");
      deletes.push(acknowledged - before);
      refusals.push(performance.now() - acknowledged);
      await admin.services.secrets.restoreSecret({ secretId });
    }
    expect(valuesOf(await read())).toEqual({ DB_URL: "canary-db" });
    const figures = `delete ${median(deletes).toFixed(1)} ms, refused read after it ${median(refusals).toFixed(1)} ms`;
    process.stdout.write(`DeleteSecret, median of 10: ${figures}\n`);
  });

  test("is refused to readers that never stop asking: no read that begins after the answer succeeds", async () => {
    // A machine of its own: so many refusals take up all that policy puts on record of one machine
    // in a minute.
    const token = await makeToken(admin, owner, { projectId, secretIds: [secretId] });
    const asker = openSallyport(await enroll(deployment.endpoint, token));
    let acknowledged = Number.POSITIVE_INFINITY;
    let late = 0;
    let early = 0;
    const ask = async (): Promise<void> => {
      const until = performance.now() + 1_500;
      while (performance.now() < until) {
        const begun = performance.now();
        if ((await refusal(asker.read({ secretIds: [secretId] }))) !== "not refused") continue;
        if (begun > acknowledged) late += 1;
        else early += 1;
      }
    };
    const readers = Promise.all([ask(), ask(), ask()]);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await admin.services.secrets.deleteSecret({ secretId });
    acknowledged = performance.now();
    await readers;
    asker.close();
    expect(early).toBeGreaterThan(0);
    expect(late).toBe(0);
    await admin.services.secrets.restoreSecret({ secretId });
  });

  test("is in no list of what is readable, and in none of secrets unless asked for", async () => {
    await admin.services.secrets.deleteSecret({ secretId });
    expect((await reader.listReadable()).map(({ name }) => name)).toEqual(["API_KEY"]);
    expect(valuesOf(await reader.read({ allGranted: true }))).toEqual({ API_KEY: "canary-key" });
    expect(valuesOf(await reader.read({ projectId }))).toEqual({ API_KEY: "canary-key" });
    const names = async (showDeleted: boolean) =>
      (await admin.services.secrets.listSecrets({ projectId, showDeleted })).secrets.map(
        ({ name }) => name,
      );
    expect([await names(false), await names(true)]).toEqual([["API_KEY"], ["API_KEY", "DB_URL"]]);
    await admin.services.secrets.restoreSecret({ secretId });
    expect((await reader.listReadable()).map(({ name }) => name).toSorted()).toEqual([
      "API_KEY",
      "DB_URL",
    ]);
  });

  test("leaves its name to another, which no grant covers", async () => {
    await admin.services.secrets.deleteSecret({ secretId });
    const next = {
      projectId,
      projectName: "web",
      name: "DB_URL",
      plaintext: Buffer.from("canary-next"),
    };
    const { secretId: nextId } = await admin.createSecret(next);
    expect(await refusal(reader.read({ secretIds: [nextId] }))).toBe("NOT_GRANTED");
    expect(await refusal(admin.services.secrets.restoreSecret({ secretId }))).toBe(
      "ALREADY_EXISTS",
    );
    await admin.services.secrets.deleteSecret({ secretId: nextId });
    await admin.services.secrets.restoreSecret({ secretId });
    expect(valuesOf(await read())).toEqual({ DB_URL: "canary-db" });
  });
});

test("a project goes when no secret lives in it and comes back with its members, secret by secret", async () => {
  const named = { projectId, name: "web" };
  expect(await refusal(admin.services.projects.deleteProject(named))).toBe("PROJECT_NOT_EMPTY");
  const { secrets } = await admin.services.secrets.listSecrets({ projectId });
  for (const secret of secrets)
    await admin.services.secrets.deleteSecret({ secretId: secret.secretId });
  await admin.services.projects.deleteProject(named);
  expect(await refusal(reader.read({ projectId }))).toBe("NOT_GRANTED");
  expect(await refusal(admin.services.secrets.restoreSecret({ secretId }))).toBe("NOT_FOUND");
  await admin.services.projects.restoreProject({ projectId });
  expect(await refusal(read())).toBe("NOT_GRANTED");
  await admin.services.secrets.restoreSecret({ secretId });
  expect(valuesOf(await read())).toEqual({ DB_URL: "canary-db" });
});

test("what was deleted 30 days ago is gone after the next start, from every table, with a record", async () => {
  await admin.services.secrets.deleteSecret({ secretId });
  {
    await using client = await openDatabase(deployment.system, "secrets");
    await client.query("alter table secrets disable trigger stamp_deletion");
    await client.query(
      "update secrets set deleted_at = now() - interval '30 days 1 minute' where secret_id = $1",
      [secretId],
    );
    await client.query("alter table secrets enable trigger stamp_deletion");
  }
  admin.close();
  reader.close();
  await deployment[Symbol.asyncDispose]();

  deployment = await startDeployment(dir);
  admin = openSallyport({ ...owner, ...deployment.endpoint });
  reader = openSallyport({ ...machine, ...deployment.endpoint });
  await expect.poll(() => actions(secretId), { timeout: 20_000 }).toContain("secret.purged");
  expect(await refusal(admin.services.secrets.restoreSecret({ secretId }))).toBe("NOT_FOUND");
  expect(await refusal(read())).toBe("NOT_GRANTED");
  const { secrets } = await admin.services.secrets.listSecrets({ projectId, showDeleted: true });
  expect(secrets.map((secret) => secret.secretId)).not.toContain(secretId);
}, 120_000);
