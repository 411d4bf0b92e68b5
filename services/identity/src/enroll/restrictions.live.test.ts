import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Outcome } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason, ReasonSchema } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { MachineService } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { Failure } from "@sallyport/rpc";
import { beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import {
  type Restrictions,
  type Saying,
  type TestToken,
  enrollKey,
  makeToken,
} from "../testing/fleet.ts";
import { newKey } from "../testing/signing.ts";
import { type World, startWorld } from "../testing/world.ts";

const { getToken, revokeToken } = EnrollmentService.method;
const cap = 40;

let world: World;
beforeAll(async () => {
  world = await startWorld({ machineCap: cap });
  return () => world[Symbol.asyncDispose]();
});
beforeEach(() => {
  world.clock.nowMs += 1000;
  world.policy.away = "";
});

function restricted(restrictions: Restrictions, maxUses = 10): Promise<TestToken> {
  return makeToken(world, { restrictions, maxUses, machineLifetimeMs: 60_000 });
}

async function usesOf({ tokenId }: TestToken): Promise<number> {
  const { token } = await world.call(world.owner, getToken, { tokenId });
  return token?.uses ?? -1;
}

function recordsOf(action: string, { tokenId }: TestToken) {
  return world.audit.recordsOf(action, tokenId);
}

/**
 * What comes of an enrollment that is refused: what its caller is told, what is recorded of it,
 * what it spent.
 */
async function refusalOf(token: TestToken, saying: Saying) {
  const [before, uses] = [recordsOf("token.refused", token).length, await usesOf(token)];
  const told: unknown = await enrollKey(world, token, newKey(), saying).catch(
    (error: unknown) => error,
  );
  const records = recordsOf("token.refused", token)
    .slice(before)
    .map(({ outcome, vaultId, reason, detail }) => ({
      outcome,
      vaultId,
      reason,
      step: detail["step"],
    }));
  return {
    told: told instanceof Failure ? told.reason : told,
    records,
    spent: (await usesOf(token)) - uses,
  };
}

function refusedFor(reason: Reason, step: string) {
  const named = enumName(ReasonSchema, reason);
  const record = { outcome: Outcome.DENIED, vaultId: world.vaultId, reason: named, step };
  return { told: reason, records: [record], spent: 0 };
}

describe("a token with source ranges", () => {
  const { TOKEN_SOURCE_REFUSED } = Reason;

  test("enrolls from them and from nowhere else, IPv4-mapped addresses as IPv4", async () => {
    const token = await restricted({ sourceCidrs: ["192.0.2.0/28", "2001:db8::/32"] });
    for (const sourceIp of ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8:1::1"])
      await enrollKey(world, token, newKey(), { sourceIp });
    for (const sourceIp of ["192.0.2.16", "::ffff:192.0.2.16", "2001:db9::1"])
      expect(await refusalOf(token, { sourceIp })).toEqual(
        refusedFor(TOKEN_SOURCE_REFUSED, "source"),
      );
  });

  test("gives a machine back to a retry from them only", async () => {
    const token = await restricted({ sourceCidrs: ["192.0.2.0/28"] });
    const machine = newKey();
    const first = await enrollKey(world, token, machine);
    expect(await enrollKey(world, token, machine, { sourceIp: "192.0.2.8" })).toEqual(first);
    await expect(
      enrollKey(world, token, machine, { sourceIp: "198.51.100.1" }),
    ).rejects.toMatchObject({
      reason: TOKEN_SOURCE_REFUSED,
    });
    expect(recordsOf("token.refused", token)).toMatchObject([{ detail: { step: "source" } }]);
    expect(await usesOf(token)).toBe(1);
  });
});

describe("a token with a hostname pattern", () => {
  test("enrolls hosts that match it as a whole, in any case", async () => {
    const token = await restricted({ hostnamePattern: "runner-[0-9]*.ci.example" });
    for (const hostname of ["runner-1.ci.example", "RUNNER-22.CI.example"])
      await enrollKey(world, token, newKey(), { hostname });
    for (const hostname of [
      "runner-x.ci.example",
      "a-runner-1.ci.example",
      "runner-1.ci.example.evil",
      "",
    ])
      expect(await refusalOf(token, { hostname })).toEqual(
        refusedFor(Reason.TOKEN_HOSTNAME_REFUSED, "hostname"),
      );
  });
});

describe("a token with a machine-name pattern", () => {
  const { TOKEN_NAME_REFUSED } = Reason;

  test("takes names that match it, asked for or from the host", async () => {
    const token = await restricted({ machineNamePattern: "web-*" });
    const named = async (saying: Saying) =>
      (await enrollKey(world, token, newKey(), saying)).machineName;
    expect(await named({ machineName: "web-1", hostname: "other" })).toBe("web-1");
    expect(await named({ machineName: "", hostname: "web-2" })).toBe("web-2");
    expect(await refusalOf(token, { machineName: "db-1", hostname: "web-1" })).toEqual(
      refusedFor(TOKEN_NAME_REFUSED, "name"),
    );
    expect(await refusalOf(token, { machineName: "WEB-1" })).toEqual(
      refusedFor(TOKEN_NAME_REFUSED, "name"),
    );
    expect(await refusalOf(token, { machineName: "", hostname: "db-1" })).toEqual(
      refusedFor(TOKEN_NAME_REFUSED, "name"),
    );
    expect(await refusalOf(token, { machineName: "", hostname: "no name" })).toEqual(
      refusedFor(TOKEN_NAME_REFUSED, "name"),
    );
  });

  test("that makes names gives each machine one of its own, and takes none that is asked for", async () => {
    const token = await restricted({ machineNamePattern: "worker-{id8}.x" });
    const made = await Promise.all(
      Array.from({ length: 5 }, () => enrollKey(world, token, newKey())),
    );
    const names = made.map(({ machineName }) => machineName);
    for (const name of names) expect(name).toMatch(/^worker-[0-9a-hjkmnp-tv-z]{8}\.x$/);
    expect(new Set(names).size).toBe(5);
    const asked = { machineName: "worker-00000000.x" };
    expect(await refusalOf(token, asked)).toEqual(refusedFor(TOKEN_NAME_REFUSED, "name"));
    const machine = newKey();
    const first = await enrollKey(world, token, machine);
    expect((await enrollKey(world, token, machine)).machineName).toBe(first.machineName);
  });
});

test("a made name is not one that a living machine of the vault has", async () => {
  const token = await restricted({ machineNamePattern: "unique-{id8}" });
  let same = Number.POSITIVE_INFINITY;
  const real = globalThis.crypto.getRandomValues.bind(globalThis.crypto);
  // The random part is the first 8 characters of an id's body; the rest keeps ids apart.
  const spy = vi.spyOn(globalThis.crypto, "getRandomValues").mockImplementation((array) => {
    real(array);
    if (array instanceof Uint8Array && (same -= 1) >= 0) array.fill(0, 0, 8);
    return array;
  });
  try {
    const nameOf = async () => (await enrollKey(world, token, newKey())).machineName;
    expect(await nameOf()).toBe("unique-00000000");
    same = 8; // Enough for two names that are taken.
    expect(await nameOf()).not.toBe("unique-00000000");
    expect(same).toBeLessThan(0);
    same = Number.POSITIVE_INFINITY;
    world.clock.nowMs += 60_000;
    expect(await nameOf()).toBe("unique-00000000");
  } finally {
    spy.mockRestore();
  }
});

describe("the checks come in one order", () => {
  test("revoked, expired, source, exhausted, hostname, name, cap", async () => {
    const all = { sourceCidrs: ["192.0.2.0/24"], hostnamePattern: "h", machineNamePattern: "n" };
    const wrong = { sourceIp: "198.51.100.1", hostname: "x", machineName: "x" };
    const token = await makeToken(world, {
      restrictions: all,
      lifetimeMs: 60_000,
      machineLifetimeMs: 60_000,
    });
    const right = { hostname: "h", machineName: "n" };
    expect(await refusalOf(token, { hostname: "x", machineName: "x" })).toEqual(
      refusedFor(Reason.TOKEN_HOSTNAME_REFUSED, "hostname"),
    );
    expect(await refusalOf(token, { hostname: "h", machineName: "x" })).toEqual(
      refusedFor(Reason.TOKEN_NAME_REFUSED, "name"),
    );
    await enrollKey(world, token, newKey(), right);
    expect(await refusalOf(token, wrong)).toEqual(
      refusedFor(Reason.TOKEN_SOURCE_REFUSED, "source"),
    );
    expect(await refusalOf(token, { hostname: "x", machineName: "x" })).toEqual(
      refusedFor(Reason.TOKEN_EXHAUSTED, "exhausted"),
    );
    world.clock.nowMs += 60_000;
    expect(await refusalOf(token, wrong)).toEqual(refusedFor(Reason.TOKEN_EXPIRED, "expired"));
    await world.call(world.owner, revokeToken, { tokenId: token.tokenId });
    expect(await refusalOf(token, wrong)).toEqual(refusedFor(Reason.TOKEN_REVOKED, "revoked"));
  });
});

test("policy is told whether the machines may read any version", async () => {
  const enrolled = async (restrictions: Restrictions) =>
    (await enrollKey(world, await restricted(restrictions), newKey())).machineId;
  expect(world.policy.anyVersion.has(await enrolled({ anyVersion: true }))).toBe(true);
  expect(world.policy.anyVersion.has(await enrolled({}))).toBe(false);
});

test("the last use is recorded when it is spent, once", async () => {
  const token = await restricted({}, 2);
  await enrollKey(world, token, newKey());
  expect(recordsOf("token.exhausted", token)).toEqual([]);
  const machine = newKey();
  const { machineId } = await enrollKey(world, token, machine);
  await enrollKey(world, token, machine);
  expect(recordsOf("token.exhausted", token)).toMatchObject([
    { actorId: machineId, vaultId: world.vaultId, outcome: Outcome.ALLOWED, detail: { uses: "2" } },
  ]);
});

describe("validate_only", () => {
  const dryRun = (token: TestToken, saying: Saying = {}, machine = newKey()) =>
    enrollKey(world, token, machine, { ...saying, validateOnly: true });

  async function machinesStored(): Promise<number> {
    const [row] = await world.database.query<{ all: number }>(
      "select count(*)::int as all from machines",
    );
    return row?.all ?? -1;
  }

  test("says what would be enrolled, spends and makes nothing, and is recorded", async () => {
    const token = await restricted({ machineNamePattern: "w-{id8}" }, 3);
    await enrollKey(world, token, newKey());
    const before = await machinesStored();
    const { token: stored } = await world.call(world.owner, getToken, { tokenId: token.tokenId });
    const answer = await dryRun(token);
    expect(answer).toMatchObject({
      machineId: "",
      vaultId: world.vaultId,
      projectIds: stored?.projectIds,
      secretIds: stored?.secretIds,
      usesLeft: 2,
    });
    expect(answer.machineName).toMatch(/^w-[0-9a-hjkmnp-tv-z]{8}$/);
    expect(answer.expiresAt && timestampMs(answer.expiresAt)).toBe(world.clock.nowMs + 60_000);
    expect(await machinesStored()).toBe(before);
    expect(await usesOf(token)).toBe(1);
    expect(recordsOf("token.checked", token)).toMatchObject([
      { outcome: Outcome.ALLOWED, vaultId: world.vaultId, detail: { hostname: "runner-1" } },
    ]);
  });

  test("runs every check, and its refusals are records like any other", async () => {
    const token = await restricted({ sourceCidrs: ["192.0.2.7/32"], hostnamePattern: "a" });
    const cases = [
      [{ sourceIp: "192.0.2.8" }, Reason.TOKEN_SOURCE_REFUSED, "source"],
      [{ hostname: "b" }, Reason.TOKEN_HOSTNAME_REFUSED, "hostname"],
    ] as const;
    for (const [saying, reason, step] of cases) {
      expect(await refusalOf(token, { ...saying, validateOnly: true })).toEqual(
        refusedFor(reason, step),
      );
      expect(recordsOf("token.refused", token).at(-1)?.detail).toMatchObject({
        validate_only: "true",
      });
    }
    const forged = { ...token, key: newKey() };
    await expect(dryRun(forged)).rejects.toMatchObject({ reason: Reason.REQUEST_REJECTED });
    expect(recordsOf("token.checked", token)).toEqual([]);
  });

  test("describes the machine that the key is already", async () => {
    const token = await restricted({}, 1);
    const machine = newKey();
    const { machineName, expiresAt } = await enrollKey(world, token, machine, {
      machineName: "first",
    });
    world.clock.nowMs += 1000;
    const answer = await dryRun(token, {}, machine);
    expect(answer).toMatchObject({ machineId: "", machineName, expiresAt, usesLeft: 0 });
    await world.call(world.owner, revokeToken, { tokenId: token.tokenId });
    await expect(dryRun(token, {}, machine)).rejects.toMatchObject({
      reason: Reason.TOKEN_REVOKED,
    });
  });
});

describe("the cap on living machines", () => {
  const { MACHINE_CAP_REACHED } = Reason;

  async function living(): Promise<number> {
    const [row] = await world.database.query<{ living: number }>(
      `select count(*)::int as living from machines where state <> 'revoked' and expires_at > $1`,
      [new Date(world.clock.nowMs)],
    );
    return row?.living ?? -1;
  }

  test("is counted exactly: of more at once than fit, over several tokens, as many as fit are made", async () => {
    const tokens = await Promise.all([restricted({}, 60), restricted({}, 60), restricted({}, 60)]);
    const room = cap - (await living());
    expect(room).toBeGreaterThan(5);
    const results = await Promise.allSettled(
      Array.from({ length: cap + 20 }, (_, at) =>
        enrollKey(world, tokens[at % 3] ?? tokens[0], newKey()),
      ),
    );
    const refused = results.filter(({ status }) => status === "rejected");
    expect(results.length - refused.length).toBe(room);
    for (const result of refused)
      expect(result).toMatchObject({
        reason: { reason: MACHINE_CAP_REACHED, metadata: { limit: String(cap) } },
      });
    expect(await living()).toBe(cap);
    const token = tokens[0];
    expect(await refusalOf(token, {})).toEqual(refusedFor(MACHINE_CAP_REACHED, "cap"));
    expect(await refusalOf(token, { validateOnly: true })).toEqual(
      refusedFor(MACHINE_CAP_REACHED, "cap"),
    );
  });

  test("is counted exactly over several processes", async () => {
    world.clock.nowMs += 60_000;
    await using second = world.startReplica();
    await using third = world.startReplica();
    const tokens = [await restricted({}, 60), await restricted({}, 60)];
    const enrolling = Array.from({ length: cap + 30 }, async (_, at) => {
      const token = tokens[at % 2] ?? (await restricted({}));
      return enrollKey([world, second, third][at % 3] ?? world, token, newKey());
    });
    const results = await Promise.allSettled(enrolling);
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(cap);
    expect(await living()).toBe(cap);
  });

  test("counts neither revoked nor expired machines, and a retry needs no room", async () => {
    const token = await restricted({}, 60);
    const [row] = await world.database.query<{ machine_id: string }>(
      "select machine_id from machines where state = 'active' and expires_at > $1 limit 1",
      [new Date(world.clock.nowMs)],
    );
    const machineId = row?.machine_id ?? "";
    expect(await refusalOf(token, {})).toEqual(refusedFor(MACHINE_CAP_REACHED, "cap"));
    await world.call(world.owner, MachineService.method.revokeMachine, { machineId });
    const machine = newKey();
    const first = await enrollKey(world, token, machine);
    expect(await refusalOf(token, {})).toEqual(refusedFor(MACHINE_CAP_REACHED, "cap"));
    expect(await enrollKey(world, token, machine)).toEqual(first);
    world.clock.nowMs += 60_000;
    expect(await living()).toBe(0);
    await enrollKey(world, token, newKey());
  });
});
