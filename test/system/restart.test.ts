import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import { type Identity, enroll, openSallyport } from "@sallyport/client";
import { RecordScope } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { afterAll, expect, test } from "vitest";
import { loginOwner, makeSecrets, makeToken, startDeployment, valuesOf } from "./deployment.ts";

const dir = mkdtempSync(join(tmpdir(), "sallyport-restart-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/**
 * Every seq of the log: what belongs to the one vault, which is the operator's, and what belongs to
 * none.
 */
async function seqs(admin: ReturnType<typeof openSallyport>): Promise<bigint[]> {
  // In this order: of a process that has just started a record may come in between, of the vault
  // none.
  const own = await admin.services.audit.listRecords({ pageSize: 200 });
  const others = await admin.services.audit.listRecords({
    pageSize: 200,
    scope: RecordScope.DEPLOYMENT,
  });
  return [...own.records, ...others.records]
    .map(({ seq }) => seq)
    .toSorted((a, b) => Number(a - b));
}

test("a restart keeps everything: the machine reads, the log goes on without a gap; a wrong KEK and a lost marker are refused", async () => {
  let owner: Identity;
  let machine: Identity;
  let before: bigint[];
  {
    await using deployment = await startDeployment(dir);
    owner = await loginOwner(deployment);
    const admin = openSallyport(owner);
    const { projectId, ids } = await makeSecrets(admin, "web", { DB_URL: "kept" });
    const token = await makeToken(admin, owner, { projectId, secretIds: Object.values(ids) });
    machine = await enroll(deployment.endpoint, token);
    before = await seqs(admin);
    admin.close();
  }
  {
    await using deployment = await startDeployment(dir);
    const reader = openSallyport({ ...machine, ...deployment.endpoint });
    expect(valuesOf(await reader.read({ allGranted: true }))).toEqual({ DB_URL: "kept" });
    reader.close();
    const admin = openSallyport({ ...owner, ...deployment.endpoint });
    const after = await seqs(admin);
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after.length).toBeGreaterThan(before.length);
    after.forEach((seq, index) => expect(seq).toBe((after[0] ?? 0n) + BigInt(index)));
    admin.close();
  }
  const kek = join(dir, "crypto", "kek.key");
  cpSync(kek, join(dir, "kek.kept"));
  writeFileSync(kek, `kek-wrong ${randomBytes(32).toString("base64")}\n`, { mode: 0o600 });
  await expect(startDeployment(dir)).rejects.toThrow(/KEK/);
  cpSync(join(dir, "kek.kept"), kek);
  const marker = join(dir, "supervisor", "deployment.json");
  renameSync(marker, `${marker}.kept`);
  await expect(startDeployment(dir)).rejects.toThrow(/holds crypto\/kek\.key.*nothing was changed/);
  renameSync(`${marker}.kept`, marker);
  // As a start before the split of users left it, and as a copy comes back that kept no owners.
  if (process.getuid?.() === 0) execFileSync("chown", ["-R", "0:0", dir]);
  renameSync(join(dir, "redis", "data", "appendonlydir"), join(dir, "redis", "appendonlydir"));
  await using deployment = await startDeployment(dir);
  const reader = openSallyport({ ...machine, ...deployment.endpoint });
  expect(valuesOf(await reader.read({ allGranted: true }))).toEqual({ DB_URL: "kept" });
  reader.close();
}, 180_000);
