import { setTimeout as sleep } from "node:timers/promises";
import { Outcome } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { MachineService } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { PrincipalStatus } from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import {
  type TestToken,
  enrollKey,
  enrollRequest,
  makeToken,
  tokenAdmission,
} from "../testing/fleet.ts";
import { type TestKey, newKey, prove } from "../testing/signing.ts";
import { type World, startWorld } from "../testing/world.ts";

const { enroll, getToken, revokeToken } = EnrollmentService.method;

let world: World;
beforeAll(async () => {
  world = await startWorld();
  return () => world[Symbol.asyncDispose]();
});
beforeEach(() => {
  world.clock.nowMs += 1000;
  world.policy.away = "";
  world.policy.beforeApply = () => Promise.resolve();
  world.policy.beforeStatus = () => Promise.resolve();
  world.audit.away = false;
});

async function usesOf({ tokenId }: TestToken): Promise<number> {
  const { token } = await world.call(world.owner, getToken, { tokenId });
  return token?.uses ?? -1;
}

async function machinesOf({ tokenId }: TestToken): Promise<number> {
  const [row] = await world.database.query<{ machines: number }>(
    "select count(*)::int as machines from machines where token_id = $1",
    [tokenId],
  );
  return row?.machines ?? -1;
}

describe("Enroll", () => {
  test("makes a machine that policy knows and that gets a credential, and records it once", async () => {
    const token = await makeToken(world, { machineLifetimeMs: 120_000 });
    const machine = newKey();
    const answer = await enrollKey(world, token, machine);
    expect(answer).toMatchObject({ vaultId: world.vaultId, machineName: "runner-1" });
    expect(Number(answer.expiresAt?.seconds)).toBe(
      Math.floor((world.clock.nowMs + 120_000) / 1000),
    );
    expect(world.policy.principals.get(answer.machineId)).toBe(PrincipalStatus.ACTIVE);
    const resolved = await world.resolve(answer.machineId);
    expect(resolved.credential).toBeDefined();
    expect(Buffer.from(resolved.publicKey)).toEqual(Buffer.from(machine.publicKey));
    const [record, ...more] = world.audit.recordsOf("machine.enrolled", token.tokenId);
    expect(more).toEqual([]);
    expect(record).toMatchObject({
      outcome: Outcome.ALLOWED,
      actorId: answer.machineId,
      machineId: answer.machineId,
      vaultId: world.vaultId,
      sourceIp: "192.0.2.7",
      client: "sallyport-cli/0.1.0",
    });
  });

  test("one key at once ten times is one machine and one use", async () => {
    const token = await makeToken(world, { maxUses: 5 });
    const machine = newKey();
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => enrollKey(world, token, machine)),
    );
    expect(new Set(answers.map(({ machineId }) => machineId)).size).toBe(1);
    expect(await usesOf(token)).toBe(1);
    expect(world.audit.recordsOf("machine.enrolled", token.tokenId)).toHaveLength(1);
  });

  test("names a machine by what was asked, else by a hostname that can be a name, else by its id", async () => {
    const token = await makeToken(world, { maxUses: 3 });
    const named = async (change: { hostname: string; machineName: string }) => {
      const machine = newKey();
      return world.call(machine, enroll, { ...enrollRequest(token, machine), ...change });
    };
    expect((await named({ hostname: "h", machineName: "web-1" })).machineName).toBe("web-1");
    expect((await named({ hostname: "host.example", machineName: "" })).machineName).toBe(
      "host.example",
    );
    const { machineName, machineId } = await named({ hostname: "no name: ☃", machineName: "" });
    expect(machineName).toBe(`machine-${machineId.slice(-8)}`);
  });

  test("refuses a hostname with control characters before anything is spent", async () => {
    const token = await makeToken(world);
    const machine = newKey();
    const request = { ...enrollRequest(token, machine), hostname: "a\u0000b" };
    await expect(world.call(machine, enroll, request)).rejects.toMatchObject({
      reason: Reason.FIELD_INVALID,
    });
    expect(await usesOf(token)).toBe(0);
  });
});

describe("what a stranger gets wrong is one refusal", () => {
  type Wrong = (token: TestToken, machine: TestKey) => Partial<ReturnType<typeof enrollRequest>>;
  const cases: readonly { name: string; step: string; known: boolean; wrong: Wrong }[] = [
    {
      name: "unknown token",
      step: "token",
      known: false,
      wrong: ({ key, vaultId }, machine) => ({
        admission: tokenAdmission(newId("tok"), key, prove("machine", vaultId, key, machine)),
      }),
    },
    {
      name: "token of another vault",
      step: "token",
      known: false,
      wrong: (token, machine) => {
        const vaultId = newId("vlt");
        const proof = prove("machine", vaultId, token.key, machine);
        return { vaultId, admission: tokenAdmission(token.tokenId, token.key, proof) };
      },
    },
    {
      name: "key that is not the token's, with a proof by it",
      step: "token",
      known: true,
      wrong: ({ vaultId, tokenId }, machine) => {
        const other = newKey();
        const proof = prove("machine", vaultId, other, machine);
        return { admission: tokenAdmission(tokenId, other, proof) };
      },
    },
    {
      name: "proof by another key",
      step: "proof",
      known: true,
      wrong: ({ key, vaultId, tokenId }, machine) => {
        const forged = { ...newKey(), publicKey: key.publicKey };
        const proof = prove("machine", vaultId, forged, machine);
        return { admission: tokenAdmission(tokenId, key, proof) };
      },
    },
    {
      name: "proof for another machine key",
      step: "proof",
      known: true,
      wrong: ({ key, vaultId, tokenId }) => ({
        admission: tokenAdmission(tokenId, key, prove("machine", vaultId, key, newKey())),
      }),
    },
    {
      name: "login proof in place of an enrollment proof",
      step: "proof",
      known: true,
      wrong: ({ key, vaultId, tokenId }, machine) => ({
        admission: tokenAdmission(tokenId, key, prove("device", vaultId, key, machine)),
      }),
    },
    {
      name: "machine key that does not sign the request",
      step: "signer",
      known: true,
      wrong: ({ key, vaultId, tokenId }) => {
        const victim = newKey();
        return {
          machinePublicKey: victim.publicKey,
          admission: tokenAdmission(tokenId, key, prove("machine", vaultId, key, victim)),
        };
      },
    },
  ];

  // Refusals of a kind are counted together: each case comes from an address of its own.
  let addresses = 0;
  test.each(cases)("$name", async ({ step, known, wrong }) => {
    const token = await makeToken(world);
    const machine = newKey();
    const before = world.audit.events.length;
    const request = { ...enrollRequest(token, machine), ...wrong(token, machine) };
    addresses += 1;
    const sourceIp = `198.51.100.${addresses}`;
    const sent = { ...(await world.evidence(machine, enroll, request)), sourceIp };
    await expect(world.send(enroll, sent)).rejects.toMatchObject({
      reason: Reason.REQUEST_REJECTED,
      metadata: {},
    });
    expect(await usesOf(token)).toBe(0);
    expect(await machinesOf(token)).toBe(0);
    await vi.waitFor(() => expect(world.audit.events.slice(before)).toHaveLength(1));
    const records = world.audit.events.slice(before);
    expect(records[0]).toMatchObject({
      action: "token.refused",
      sourceIp,
      outcome: Outcome.DENIED,
      reason: "REQUEST_REJECTED",
      actorId: "",
      vaultId: known ? world.vaultId : "",
      subjectId: known ? token.tokenId : "",
    });
    expect(records[0]?.detail).toMatchObject({ step, count: "1" });
  });

  test("a spent token tells a stranger nothing: a wrong proof on it is still REQUEST_REJECTED", async () => {
    const token = await makeToken(world);
    await world.call(world.owner, revokeToken, { tokenId: token.tokenId });
    const machine = newKey();
    const admission = tokenAdmission(token.tokenId, token.key, new Uint8Array(64));
    const request = { ...enrollRequest(token, machine), admission };
    await expect(world.call(machine, enroll, request)).rejects.toMatchObject({
      reason: Reason.REQUEST_REJECTED,
    });
  });
});

describe("the holder of a token is told why it makes no machine", () => {
  test("TOKEN_REVOKED, TOKEN_EXPIRED at the very millisecond, TOKEN_EXHAUSTED; each recorded", async () => {
    const revoked = await makeToken(world);
    await world.call(world.owner, revokeToken, { tokenId: revoked.tokenId, reason: "leaked" });
    const exhausted = await makeToken(world);
    await enrollKey(world, exhausted, newKey());
    const expiring = await makeToken(world, { lifetimeMs: 60_000, maxUses: 2 });
    world.clock.nowMs += 59_999;
    await enrollKey(world, expiring, newKey());
    world.clock.nowMs += 1;
    const cases = [
      [revoked, Reason.TOKEN_REVOKED, "TOKEN_REVOKED"],
      [exhausted, Reason.TOKEN_EXHAUSTED, "TOKEN_EXHAUSTED"],
      [expiring, Reason.TOKEN_EXPIRED, "TOKEN_EXPIRED"],
    ] as const;
    for (const [token, reason, name] of cases) {
      await expect(enrollKey(world, token, newKey())).rejects.toMatchObject({ reason });
      expect(world.audit.recordsOf("token.refused", token.tokenId)).toMatchObject([
        { reason: name, vaultId: world.vaultId },
      ]);
    }
  });
});

describe("a retry with the same key", () => {
  test("returns the same machine and spends nothing, also on a token that is used up and expired", async () => {
    const token = await makeToken(world, { lifetimeMs: 60_000 });
    const machine = newKey();
    const first = await enrollKey(world, token, machine);
    world.clock.nowMs += 61_000;
    const again = await enrollKey(world, token, machine);
    expect(again).toEqual(first);
    expect(await usesOf(token)).toBe(1);
    expect(world.audit.recordsOf("machine.enrolled", token.tokenId)).toHaveLength(1);
  });

  test("finishes an enrollment that policy did not take over; until then there is no credential", async () => {
    const token = await makeToken(world);
    const machine = newKey();
    world.policy.away = "applyScope";
    await expect(enrollKey(world, token, machine)).rejects.toMatchObject({
      reason: Reason.DEPENDENCY_UNAVAILABLE,
    });
    const [row] = await world.database.query<{ machine_id: string; state: string }>(
      "select machine_id, state from machines where token_id = $1",
      [token.tokenId],
    );
    expect(row?.state).toBe("provisioning");
    const resolved = await world.resolve(row?.machine_id ?? "");
    expect(resolved.publicKey).toHaveLength(0);
    expect(resolved.credential).toBeUndefined();
    expect(world.audit.recordsOf("machine.enrolled", token.tokenId)).toEqual([]);
    world.policy.away = "";
    expect((await enrollKey(world, token, machine)).machineId).toBe(row?.machine_id);
    expect(await usesOf(token)).toBe(1);
    expect(world.audit.recordsOf("machine.enrolled", token.tokenId)).toHaveLength(1);
  });

  test("is refused once the token is revoked, or the machine disabled, revoked or expired", async () => {
    const { disableMachine, revokeMachine } = MachineService.method;
    const setUp = async () => {
      const [token, machine] = [await makeToken(world, { machineLifetimeMs: 60_000 }), newKey()];
      const { machineId } = await enrollKey(world, token, machine);
      return { token, machine, machineId };
    };
    const [one, two, three, four] = [await setUp(), await setUp(), await setUp(), await setUp()];
    await world.call(world.owner, revokeToken, { tokenId: one.token.tokenId });
    await world.call(world.owner, disableMachine, { machineId: two.machineId });
    await world.call(world.owner, revokeMachine, { machineId: three.machineId });
    const retry = ({ token, machine }: typeof one) => enrollKey(world, token, machine);
    await expect(retry(one)).rejects.toMatchObject({ reason: Reason.TOKEN_REVOKED });
    await expect(retry(two)).rejects.toMatchObject({ reason: Reason.MACHINE_DISABLED });
    await expect(retry(three)).rejects.toMatchObject({ reason: Reason.MACHINE_DISABLED });
    world.clock.nowMs += 60_000;
    await expect(retry(four)).rejects.toMatchObject({ reason: Reason.MACHINE_EXPIRED });
  });

  test("of a machine that was disabled meanwhile takes nothing back from one who enables it again", async () => {
    const { disableMachine, enableMachine } = MachineService.method;
    const token = await makeToken(world);
    let machineId = "";
    let enabling: Promise<unknown> | undefined;
    world.policy.beforeApply = async () => {
      const [row] = await world.database.query<{ machine_id: string }>(
        "select machine_id from machines where token_id = $1",
        [token.tokenId],
      );
      machineId = row?.machine_id ?? "";
      await world.call(world.owner, disableMachine, { machineId });
    };
    world.policy.beforeStatus = async (status) => {
      if (status !== PrincipalStatus.DISABLED || enabling) return;
      enabling = world.call(world.owner, enableMachine, { machineId });
      await sleep(300);
    };
    await expect(enrollKey(world, token, newKey())).rejects.toMatchObject({
      reason: Reason.MACHINE_DISABLED,
    });
    await enabling;
    expect(world.policy.principals.get(machineId)).toBe(PrincipalStatus.ACTIVE);
  });

  test("with another token is refused and spends nothing of it", async () => {
    const [first, second] = [await makeToken(world), await makeToken(world)];
    const machine = newKey();
    await enrollKey(world, first, machine);
    await expect(enrollKey(world, second, machine)).rejects.toMatchObject({
      reason: Reason.REQUEST_REJECTED,
    });
    expect(await usesOf(second)).toBe(0);
  });

  test("with another token waits for an enrollment of the key that is under way, and is then refused", async () => {
    const [first, second] = [await makeToken(world), await makeToken(world)];
    const machine = newKey();
    const late = await world.database.transaction(async (tx) => {
      const nowMs = world.clock.nowMs;
      const times = [new Date(nowMs), new Date(nowMs + 60_000)];
      await tx.query(
        `insert into machines (machine_id, vault_id, token_id, public_key, name, hostname, state, created_at, expires_at)
         values ($1, $2, $3, $4, 'other', 'other', 'provisioning', $5, $6)`,
        [newId("mch"), world.vaultId, first.tokenId, machine.publicKey, ...times],
      );
      const running = enrollKey(world, second, machine).catch((error: unknown) => error);
      await sleep(200);
      return { running };
    });
    expect(await late.running).toMatchObject({ reason: Reason.REQUEST_REJECTED });
    expect(await usesOf(second)).toBe(0);
    expect(world.audit.recordsOf("token.refused", second.tokenId)).toHaveLength(1);
  });

  test("of many secrets is paced: its machines alone must not fill the log", async () => {
    const token = await makeToken(world, { secrets: 1_000, maxUses: 100 });
    const other = await makeToken(world);
    const enrollOne = () => enrollKey(world, token, newKey());
    for (let count = 0; count < 24; count += 1) await enrollOne();
    const refused = { reason: Reason.RATE_LIMITED, retryAfterMs: expect.any(Number) as number };
    await expect(enrollOne()).rejects.toMatchObject(refused);
    expect([await usesOf(token), await machinesOf(token)]).toEqual([24, 24]);
    expect(world.audit.recordsOf("token.refused", token.tokenId)).toMatchObject([
      { reason: "RATE_LIMITED", originId: token.tokenId, detail: { step: "rate" } },
    ]);
    await enrollKey(world, other, newKey());
    world.clock.nowMs += 600_000;
    await enrollOne();
  });

  test("with two tokens at once makes one machine and spends one use", async () => {
    const [first, second] = [await makeToken(world), await makeToken(world)];
    const machine = newKey();
    const results = await Promise.allSettled([
      enrollKey(world, first, machine),
      enrollKey(world, second, machine),
    ]);
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect((await usesOf(first)) + (await usesOf(second))).toBe(1);
  });
});

test("a machine that is stopped while it enrolls stays stopped, here and in policy", async () => {
  const token = await makeToken(world);
  const machine = newKey();
  let machineId = "";
  world.policy.beforeApply = async () => {
    const rows = await world.database.query<{ machine_id: string }>(
      "select machine_id from machines where token_id = $1",
      [token.tokenId],
    );
    machineId = rows[0]?.machine_id ?? "";
    await world.call(world.owner, MachineService.method.revokeMachine, { machineId });
  };
  await expect(enrollKey(world, token, machine)).rejects.toMatchObject({
    reason: Reason.MACHINE_DISABLED,
  });
  expect(world.policy.principals.get(machineId)).toBe(PrincipalStatus.REVOKED);
  expect((await world.resolve(machineId)).refusal).toBe(Reason.MACHINE_DISABLED);
  expect(world.audit.recordsOf("machine.enrolled", token.tokenId)).toEqual([]);
});

test("a token that is revoked in the very moment makes no machine", async () => {
  const token = await makeToken(world, { maxUses: 2 });
  const machine = newKey();
  const enrolling = await world.database.transaction(async (tx) => {
    const revoked = "update enrollment_tokens set revoked_at = now() where token_id = $1";
    await tx.query(revoked, [token.tokenId]);
    const running = enrollKey(world, token, machine).catch((error: unknown) => error);
    await sleep(200); // By now it waits for the token's row.
    return { running };
  });
  expect(await enrolling.running).toMatchObject({ reason: Reason.DEPENDENCY_UNAVAILABLE });
  expect(await machinesOf(token)).toBe(0);
  expect(await usesOf(token)).toBe(0);
  await expect(enrollKey(world, token, machine)).rejects.toMatchObject({
    reason: Reason.TOKEN_REVOKED,
  });
});

test("the same request forwarded twice is refused and changes nothing", async () => {
  const token = await makeToken(world, { maxUses: 2 });
  const machine = newKey();
  const request = await world.evidence(machine, enroll, enrollRequest(token, machine));
  await world.send(enroll, request);
  await expect(world.send(enroll, request)).rejects.toMatchObject({
    reason: Reason.REQUEST_REJECTED,
  });
  expect(await usesOf(token)).toBe(1);
});

test("while records are held up nothing is enrolled", async () => {
  const token = await makeToken(world, { maxUses: 2 });
  world.audit.away = true;
  // The first one is committed before it is known that audit is away, and is not answered as done.
  const machine = newKey();
  await expect(enrollKey(world, token, machine)).rejects.toMatchObject({
    reason: Reason.DEPENDENCY_UNAVAILABLE,
  });
  await expect(enrollKey(world, token, newKey())).rejects.toMatchObject({
    reason: Reason.DEPENDENCY_UNAVAILABLE,
  });
  expect(await usesOf(token)).toBe(1);
  world.audit.away = false;
  await enrollKey(world, token, machine);
  expect(world.audit.recordsOf("machine.enrolled", token.tokenId)).toHaveLength(1);
});
