import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { ProjectRole } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { failureOf } from "@sallyport/rpc";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { enrollKey, makeToken } from "../testing/fleet.ts";
import { addUser } from "../testing/people.ts";
import { keySha256, newKey } from "../testing/signing.ts";
import { type World, startWorld } from "../testing/world.ts";

const { createToken, getToken, listTokens, revokeToken } = EnrollmentService.method;

let world: World;
beforeAll(async () => {
  world = await startWorld();
  return () => world[Symbol.asyncDispose]();
});
beforeEach(() => {
  world.clock.nowMs += 1000;
  world.policy.away = "";
});

function tokenRequest(projectIds: string[], secretIds: string[] = []) {
  return {
    tokenKeySha256: keySha256(newKey()),
    projectIds,
    secretIds,
    tokenLifetime: durationFromMs(60_000),
    machineLifetime: durationFromMs(90_500),
    maxUses: 3,
    description: "deploys",
  };
}

function reasonOf(call: Promise<unknown>): Promise<Reason> {
  return call.then(
    () => Reason.UNSPECIFIED,
    (error: unknown) => failureOf(error).reason,
  );
}

async function tokensStored(): Promise<number> {
  const [row] = await world.database.query<{ stored: number }>(
    "select count(*)::int as stored from enrollment_tokens",
  );
  return row?.stored ?? -1;
}

describe("CreateToken", () => {
  test("stores what was asked, under an id of its own, and records it", async () => {
    const [projectId, secretId] = [newId("prj"), newId("sec")];
    world.policy.projects.add(projectId);
    world.policy.secrets.set(secretId, projectId);
    const request = tokenRequest([projectId], [secretId]);
    const { token } = await world.call(world.owner, createToken, request);
    expect(token).toMatchObject({
      description: "deploys",
      projectIds: [projectId],
      secretIds: [secretId],
      createdBy: world.owner.keyId.split(".")[0],
      maxUses: 3,
      uses: 0,
      machineLifetime: durationFromMs(90_500),
      revokeReason: "",
    });
    expect(token?.tokenId).toMatch(/^tok_[0-9a-hjkmnp-tv-z]{20}$/);
    expect(token?.lastUsedAt).toBeUndefined();
    expect(token?.revokedAt).toBeUndefined();
    const { token: stored } = await world.call(world.owner, getToken, {
      tokenId: token?.tokenId ?? "",
    });
    expect(stored).toEqual(token);
    expect(world.audit.events.at(-1)).toMatchObject({
      action: "token.created",
      subjectId: token?.tokenId,
      vaultId: world.vaultId,
      actorId: world.owner.keyId.split(".")[0],
    });
  });

  test("keeps every restriction as it was given, and records it", async () => {
    const projectId = newId("prj");
    world.policy.projects.add(projectId);
    const restrictions = {
      sourceCidrs: ["10.0.0.0/8", "2001:db8::/32", "::ffff:192.0.2.0/120", "0.0.0.0/0"],
      hostnamePattern: "*.ci.example",
      machineNamePattern: "worker-{id8}",
      anyVersion: true,
    };
    const request = { ...tokenRequest([projectId]), ...restrictions };
    const { token } = await world.call(world.owner, createToken, request);
    expect(token).toMatchObject({ ...restrictions, createdByName: "ada" });
    const { token: stored } = await world.call(world.owner, getToken, {
      tokenId: token?.tokenId ?? "",
    });
    expect(stored).toEqual(token);
    expect(world.audit.events.at(-1)?.detail).toMatchObject({
      source_cidrs: restrictions.sourceCidrs.join(" "),
      hostname_pattern: "*.ci.example",
      machine_name_pattern: "worker-{id8}",
      any_version: "true",
    });
  });

  test("takes what lies on its bounds", async () => {
    const projectId = newId("prj");
    world.policy.projects.add(projectId);
    const edges = [
      {
        maxUses: 1,
        tokenLifetime: durationFromMs(60_000),
        machineLifetime: durationFromMs(60_000),
      },
      {
        maxUses: 10_000,
        tokenLifetime: durationFromMs(365 * 86_400_000),
        machineLifetime: durationFromMs(30 * 86_400_000),
      },
      { hostnamePattern: "h".repeat(253), machineNamePattern: "m".repeat(128) },
      { machineNamePattern: `${"m".repeat(120)}{id8}` },
      { sourceCidrs: Array.from({ length: 32 }, (_, at) => `10.0.${at}.0/24`) },
    ];
    for (const edge of edges) {
      const { token } = await world.call(world.owner, createToken, {
        ...tokenRequest([projectId]),
        ...edge,
      });
      expect(token?.tokenId).toMatch(/^tok_/);
    }
  });

  test("asks policy first: what the vault does not have makes no token", async () => {
    const before = await tokensStored();
    const create = () => world.call(world.owner, createToken, tokenRequest([newId("prj")]));
    await expect(create()).rejects.toMatchObject({ reason: Reason.NOT_FOUND });
    world.policy.away = "validateScope";
    await expect(create()).rejects.toMatchObject({ reason: Reason.DEPENDENCY_UNAVAILABLE });
    expect(await tokensStored()).toBe(before);
  });

  test("of a developer is for projects that the developer manages, each of them", async () => {
    const developer = await addUser(world, Role.DEVELOPER);
    const [managed, other] = [newId("prj"), newId("prj")];
    for (const projectId of [managed, other]) world.policy.projects.add(projectId);
    const give = (projectId: string, role: ProjectRole) =>
      world.policy.roles.set(`${developer.userId} ${projectId}`, role);
    const create = (...projectIds: string[]) =>
      world.call(developer, createToken, tokenRequest(projectIds));
    const missing = { reason: Reason.PROJECT_ROLE_REQUIRED, metadata: { project_role: "manager" } };
    const before = await tokensStored();
    await expect(create(managed)).rejects.toMatchObject(missing);
    give(managed, ProjectRole.WRITER);
    await expect(create(managed)).rejects.toMatchObject(missing);
    give(managed, ProjectRole.MANAGER);
    await expect(create(managed, other)).rejects.toMatchObject(missing);
    give(other, ProjectRole.NONE);
    await expect(create(managed, other)).rejects.toMatchObject({ reason: Reason.NOT_FOUND });
    expect(await tokensStored()).toBe(before);
    const { token } = await create(managed);
    expect(token?.createdBy).toBe(developer.userId);
  });

  test("tells policy at each enrollment which role its maker has", async () => {
    const admin = await addUser(world, Role.ADMIN);
    const token = await makeToken(world, {}, admin);
    const { machineId } = await enrollKey(world, token, newKey());
    expect(world.policy.makers.get(machineId)).toBe(Role.ADMIN);
  });

  test("takes a token key once", async () => {
    const key = newKey();
    await makeToken(world, { key });
    const before = world.audit.events.length;
    await expect(makeToken(world, { key })).rejects.toMatchObject({
      reason: Reason.ALREADY_EXISTS,
      metadata: { field: "token_key_sha256" },
    });
    expect(world.audit.events).toHaveLength(before);
  });

  test("refuses what its contract does not allow, and text with control characters", async () => {
    const projectId = newId("prj");
    world.policy.projects.add(projectId);
    const request = tokenRequest([projectId]);
    const wrong = [
      { maxUses: 0 },
      { maxUses: 10_001 },
      { tokenLifetime: durationFromMs(59_999) },
      { machineLifetime: durationFromMs(30 * 86_400_000 + 1) },
      { projectIds: [] },
      { tokenKeySha256: new Uint8Array(31) },
      { tokenLifetime: durationFromMs(365 * 86_400_000 + 1) },
      { machineLifetime: durationFromMs(59_999) },
      { description: "\u001b[2J" },
      { sourceCidrs: Array.from({ length: 33 }, (_, at) => `10.0.${at}.0/24`) },
      { sourceCidrs: ["10.0.0.0/8", "10.0.0.0/8"] },
      { hostnamePattern: "h".repeat(254) },
      { machineNamePattern: "m".repeat(129) },
    ];
    for (const change of wrong)
      await expect(
        world.call(world.owner, createToken, { ...request, ...change }),
      ).rejects.toMatchObject({
        reason: Reason.FIELD_INVALID,
      });
  });

  test.each([
    "10.1.2.3/8",
    "10.0.0.0",
    "10.0.0.0/33",
    "010.0.0.0/8",
    "2001:db8::1/32",
    "fe80::%eth0/64",
    "1:2:3:4:5:6::7:192.0.2.0/128",
    "all",
  ])("refuses the address range %s and says what one looks like", async (range) => {
    const projectId = newId("prj");
    world.policy.projects.add(projectId);
    const request = { ...tokenRequest([projectId]), sourceCidrs: ["192.0.2.0/24", range] };
    await expect(world.call(world.owner, createToken, request)).rejects.toMatchObject({
      reason: Reason.FIELD_INVALID,
      metadata: {
        field: "source_cidrs[1]",
        description: expect.stringContaining("all host bits zero") as unknown,
      },
    });
  });

  test.each([
    ["hostnamePattern", "host[", "has a [ without its ]"],
    ["hostnamePattern", "host {id8}", "may hold printable ASCII characters only, and no spaces"],
    ["hostnamePattern", "host-{id8}", "has a { that means nothing"],
    ["machineNamePattern", "web-[z-a]", "has a range that runs backwards"],
    ["machineNamePattern", "web/*", "has a character that no machine name has"],
    ["machineNamePattern", "w-{id8}-{id8}", "has {id8} twice"],
    ["machineNamePattern", "w-{id8}*", "does not make a machine name"],
    ["machineNamePattern", "-{id8}", "does not make a machine name"],
    ["machineNamePattern", `${"m".repeat(121)}{id8}`, "does not make a machine name"],
    ["machineNamePattern", "w-{id4}", "has a character that no machine name has"],
  ])("refuses the %s %s: %s", async (name, pattern, description) => {
    const projectId = newId("prj");
    world.policy.projects.add(projectId);
    const request = { ...tokenRequest([projectId]), [name]: pattern };
    await expect(world.call(world.owner, createToken, request)).rejects.toMatchObject({
      reason: Reason.FIELD_INVALID,
      metadata: {
        field: name === "hostnamePattern" ? "hostname_pattern" : "machine_name_pattern",
        description: expect.stringContaining(description) as unknown,
      },
    });
  });

  test("the same request forwarded twice makes one token", async () => {
    const projectId = newId("prj");
    world.policy.projects.add(projectId);
    const request = await world.evidence(world.owner, createToken, tokenRequest([projectId]));
    await world.send(createToken, request);
    const before = await tokensStored();
    await expect(world.send(createToken, request)).rejects.toMatchObject({
      reason: Reason.REQUEST_REJECTED,
    });
    expect(await tokensStored()).toBe(before);
  });
});

describe("RevokeToken", () => {
  test("keeps time and reason of the first time and records it once; machines live on", async () => {
    const token = await makeToken(world, { maxUses: 2 });
    const machine = newKey();
    const { machineId } = await enrollKey(world, token, machine);
    const { tokenId } = token;
    const { token: revoked } = await world.call(world.owner, revokeToken, {
      tokenId,
      reason: "leaked",
    });
    expect(revoked).toMatchObject({ revokeReason: "leaked", uses: 1 });
    expect(revoked?.revokedAt).toBeDefined();
    world.clock.nowMs += 5000;
    const { token: again } = await world.call(world.owner, revokeToken, {
      tokenId,
      reason: "again",
    });
    expect(again).toEqual(revoked);
    const records = world.audit.events.filter(
      ({ action, subjectId }) => action === "token.revoked" && subjectId === tokenId,
    );
    expect(records).toHaveLength(1);
    expect((await world.resolve(machineId)).credential).toBeDefined();
  });

  test("an unknown token is NOT_FOUND", async () => {
    const tokenId = newId("tok");
    const notFound = { reason: Reason.NOT_FOUND };
    await expect(world.call(world.owner, getToken, { tokenId })).rejects.toMatchObject(notFound);
    await expect(world.call(world.owner, revokeToken, { tokenId })).rejects.toMatchObject(notFound);
  });
});

test("a developer finds, lists and ends the tokens for projects that the developer manages", async () => {
  const developer = await addUser(world, Role.DEVELOPER);
  const [managed, other] = [newId("prj"), newId("prj")];
  for (const projectId of [managed, other]) world.policy.projects.add(projectId);
  const ofBoth = await world.call(world.owner, createToken, tokenRequest([managed, other]));
  const ofOne = await world.call(world.owner, createToken, tokenRequest([managed]));
  const tokenId = ofOne.token?.tokenId ?? "";
  const both = ofBoth.token?.tokenId ?? "";
  const listed = async () =>
    (await world.call(developer, listTokens, {})).tokens.map((token) => token.tokenId);
  const told = (call: Promise<unknown>) => reasonOf(call);
  expect(await listed()).toEqual([]);
  expect(await told(world.call(developer, getToken, { tokenId }))).toBe(Reason.NOT_FOUND);
  expect(await told(world.call(developer, revokeToken, { tokenId }))).toBe(Reason.NOT_FOUND);
  world.policy.roles.set(`${developer.userId} ${managed}`, ProjectRole.MANAGER);
  world.policy.roles.set(`${developer.userId} ${other}`, ProjectRole.WRITER);
  expect(await listed()).toEqual([tokenId]);
  expect((await world.call(developer, getToken, { tokenId })).token?.projectIds).toEqual([managed]);
  expect(await told(world.call(developer, getToken, { tokenId: both }))).toBe(Reason.NOT_FOUND);
  expect(await told(world.call(developer, revokeToken, { tokenId: both }))).toBe(Reason.NOT_FOUND);
  const cascade = world.call(developer, revokeToken, { tokenId, cascade: true });
  expect(await told(cascade)).toBe(Reason.ROLE_REQUIRED);
  world.policy.away = "listRoles";
  expect(await told(world.call(developer, revokeToken, { tokenId }))).toBe(
    Reason.DEPENDENCY_UNAVAILABLE,
  );
  world.policy.away = "";
  const { token } = await world.call(developer, revokeToken, { tokenId });
  expect(token?.revokedAt).toBeDefined();
  const { token: kept } = await world.call(world.owner, getToken, { tokenId: both });
  expect(kept?.revokedAt).toBeUndefined();
});

test("ListTokens pages through every token once, newest first", async () => {
  world.clock.nowMs += 1;
  const older = await makeToken(world);
  world.clock.nowMs += 1;
  const newer = await makeToken(world);
  const first = await world.call(world.owner, listTokens, { pageSize: 1 });
  expect(first.tokens.map(({ tokenId }) => tokenId)).toEqual([newer.tokenId]);
  const second = await world.call(world.owner, listTokens, {
    pageSize: 1,
    pageToken: first.nextPageToken,
  });
  expect(second.tokens.map(({ tokenId }) => tokenId)).toEqual([older.tokenId]);
  const all = await world.call(world.owner, listTokens, { pageSize: 200 });
  expect(all.tokens).toHaveLength(await tokensStored());
  expect(all.nextPageToken).toBe("");
});
