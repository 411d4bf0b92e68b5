import { execFile } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { durationFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type Identity,
  type Sallyport,
  enroll,
  formatToken,
  login,
  newSeed,
  newTokenSecret,
  openSallyport,
  privateKeyOf,
  proveRenewal,
  rawPublicKey,
} from "@sallyport/client";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeToken, refusal, startMainJob } from "./deployment.ts";

const lifetime = durationFromMs(600_000);

let job: Awaited<ReturnType<typeof startMainJob>>;
let short: Identity;

beforeAll(async () => {
  job = await startMainJob();
  short = await enrollShort();
});
afterAll(async () => {
  job.admin.close();
  await job.deployment[Symbol.asyncDispose]();
});

async function invite(role: Role, name: string): Promise<Identity> {
  const { seed, publicKeySha256 } = newTokenSecret();
  const { loginCode } = await job.admin.services.users.createLoginCode({
    codeKeySha256: publicKeySha256,
    role,
    lifetime,
  });
  const { vaultId, rootFingerprint } = job.owner;
  const code = formatToken("login", {
    id: loginCode?.codeId ?? "",
    vaultId,
    rootFingerprint,
    seed,
  });
  return login(job.deployment.endpoint, code, name);
}

/** A machine that lives for the shortest time that a machine may: a minute. */
async function enrollShort(): Promise<Identity> {
  const { seed, publicKeySha256 } = newTokenSecret();
  const { token } = await job.admin.services.enrollment.createToken({
    tokenKeySha256: publicKeySha256,
    projectIds: [job.projectId],
    secretIds: job.granted,
    tokenLifetime: lifetime,
    machineLifetime: durationFromMs(60_000),
    maxUses: 1,
    machineNamePattern: "short-{id8}",
  });
  const { vaultId, rootFingerprint } = job.owner;
  const text = formatToken("enr", { id: token?.tokenId ?? "", vaultId, rootFingerprint, seed });
  return enroll(job.deployment.endpoint, text);
}

async function using<T>(identity: Identity, run: (client: Sallyport) => Promise<T>): Promise<T> {
  const client = openSallyport(identity);
  try {
    return await run(client);
  } finally {
    client.close();
  }
}

describe("people, through all six processes", () => {
  test("are invited by role, add a device, renew it and sign out", async () => {
    const admin = await invite(Role.ADMIN, "grace");
    const { seed, publicKeySha256 } = newTokenSecret();
    const device = await using(admin, async ({ services }) => {
      const { loginCode } = await services.users.createDeviceCode({
        codeKeySha256: publicKeySha256,
        lifetime,
      });
      const { vaultId, rootFingerprint } = admin;
      const code = formatToken("login", {
        id: loginCode?.codeId ?? "",
        vaultId,
        rootFingerprint,
        seed,
      });
      return login(job.deployment.endpoint, code, "");
    });
    expect(device).toMatchObject({ principalId: admin.principalId, name: "grace" });
    const nextSeed = newSeed();
    const present = rawPublicKey(privateKeyOf(Buffer.from(device.seed, "base64")));
    const renewed = await using(device, async ({ services }) => {
      const { keyId } = await services.users.renewDevice(
        proveRenewal(device.vaultId, present, nextSeed),
      );
      return { ...device, keyId, seed: Buffer.from(nextSeed).toString("base64") };
    });
    await using(renewed, async ({ services }) => {
      expect(await services.users.whoAmI({})).toMatchObject({ name: "grace", role: Role.ADMIN });
      await services.users.signOut({});
      await expect
        .poll(() => refusal(services.users.whoAmI({})), { timeout: 1000 })
        .toBe("MACHINE_DISABLED");
    });
    expect(await using(device, ({ services }) => refusal(services.users.whoAmI({})))).toBe(
      "MACHINE_DISABLED",
    );
    expect(await using(admin, ({ services }) => refusal(services.users.whoAmI({})))).toBe(
      "not refused",
    );
  });

  test("who was removed is refused at once, and so are machines of a token that is revoked with them", async () => {
    const admin = openSallyport(await invite(Role.ADMIN, "mallory"));
    const token = await makeToken(admin, job.owner, {
      projectId: job.projectId,
      secretIds: job.granted,
      uses: 5,
    });
    const machine = openSallyport(
      await enroll(job.deployment.endpoint, token, { name: "runner-x" }),
    );
    const { users } = await job.admin.services.users.listUsers({});
    const userId = users.find(({ name }) => name === "mallory")?.userId ?? "";
    await admin.services.users.whoAmI({});
    expect(await job.admin.services.users.removeUser({ userId })).toMatchObject({
      tokensRevoked: 1,
    });
    const begunMs = performance.now();
    await expect
      .poll(() => refusal(admin.services.users.whoAmI({})), { timeout: 1000 })
      .toBe("MACHINE_DISABLED");
    console.log(
      `a removed user was refused ${(performance.now() - begunMs).toFixed(0)} ms after the answer`,
    );
    expect(await refusal(machine.read({ secretIds: job.granted }))).toBe("not refused");
    const { tokens } = await job.admin.services.enrollment.listTokens({});
    const tokenId = tokens.find(({ createdBy }) => createdBy === userId)?.tokenId ?? "";
    const revoked = await job.admin.services.enrollment.revokeToken({ tokenId, cascade: true });
    expect(revoked).toMatchObject({ machinesRevoked: 1, machinesRemaining: 0 });
    await expect
      .poll(() => refusal(machine.read({ secretIds: job.granted })), { timeout: 1000 })
      .toBe("MACHINE_DISABLED");
    admin.close();
    machine.close();
  });

  test("a machine's last use is shown within seconds, and what it was given with it", async () => {
    const { machines } = job.admin.services;
    const machineId = job.machine.principalId;
    await using(job.machine, (client) => client.read({ secretIds: job.granted }));
    const seenMs = async () => {
      const { machine } = await machines.getMachine({ machineId });
      return machine?.lastSeenAt ? timestampMs(machine.lastSeenAt) : 0;
    };
    await expect.poll(seenMs, { timeout: 20_000, interval: 500 }).toBeGreaterThan(0);
    expect((await machines.getMachine({ machineId })).machine?.lastSourceIp).toMatch(
      /^(127\.0\.0\.1|::1)$/,
    );
  });

  test("a vault without an owner who can act is recovered by the operator, on record", async () => {
    const script = join(import.meta.dirname, "..", "..", "deploy", "local", "recover-owner.ts");
    const { vaultId } = job.owner;
    const run = (...args: string[]) =>
      promisify(execFile)(process.execPath, [script, ...args], {
        env: { PATH: process.env["PATH"] },
      });
    const { stdout } = await run(vaultId, "--data", job.deployment.dir);
    const file = stdout.trim();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const rescuer = await login(
      job.deployment.endpoint,
      readFileSync(file, "utf8").trim(),
      "rescuer",
    );
    await using(rescuer, async ({ services }) => {
      expect((await services.users.whoAmI({})).role).toBe(Role.OWNER);
      const { records } = await services.audit.listRecords({ pageSize: 100 });
      const created = records.filter(({ action }) => action === "login_code.created");
      expect(created.some(({ detail }) => detail["recovery"] === "true")).toBe(true);
    });
    await expect(run("nonsense")).rejects.toThrow("is not one vault id");
    await expect(run(vaultId, "--data", "/nowhere")).rejects.toThrow("is no data directory");
  });

  // Last: most of its minute is over by then.
  test("an expired machine is refused at the instant, and is swept within a minute", async () => {
    const identity = short;
    expect(identity.name).toMatch(/^short-[0-9a-z]{8}$/);
    const endMs = Date.parse(identity.expiresAt);
    const machine = openSallyport(identity);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, endMs - Date.now()) + 50));
    expect(await refusal(machine.read({ secretIds: job.granted }))).toBe("MACHINE_EXPIRED");
    machine.close();
    const swept = async () => {
      const { records } = await job.admin.services.audit.listRecords({
        machineId: identity.principalId,
      });
      return records.some(({ action }) => action === "machine.expired");
    };
    await expect.poll(swept, { timeout: 60_000, interval: 1000 }).toBe(true);
    console.log(
      `an expired machine was swept ${((Date.now() - endMs) / 1000).toFixed(0)} s after its end`,
    );
    const machineId = identity.principalId;
    const { memberships } = await job.admin.services.memberships.listMembershipsByMachine({
      machineId,
    });
    expect(memberships).toEqual([]);
  }, 180_000);
});
