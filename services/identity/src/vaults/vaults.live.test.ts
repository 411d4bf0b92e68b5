import type {
  DescMessage,
  DescMethod,
  DescMethodUnary,
  MessageInitShape,
} from "@bufbuild/protobuf";
import { durationFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Reason, ReasonSchema } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { MachineService } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { VaultService } from "@sallyport/proto/gen/sallyport/identity/v1/vault_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { newId } from "@sallyport/proto/ids";
import { Failure } from "@sallyport/rpc";
import { beforeAll, describe, expect, test } from "vitest";
import { newVaultCodeLifetimeMs } from "./create.ts";
import {
  tokenAdmission,
  type TestToken,
  enrollKey,
  enrollRequest,
  makeToken,
} from "../testing/fleet.ts";
import {
  type TestCode,
  type TestUser,
  addDevice,
  addUser,
  addVault,
  makeLoginCode,
  redeemRequest,
  renewRequest,
} from "../testing/people.ts";
import { type TestKey, keySha256, newKey, prove } from "../testing/signing.ts";
import { type World, startWorld } from "../testing/world.ts";

const enrollment = EnrollmentService.method;
const machines = MachineService.method;
const people = UserService.method;
const vaults = VaultService.method;

let world: World;
beforeAll(async () => {
  world = await startWorld({ machineCap: 7 });
  return () => world[Symbol.asyncDispose]();
});

describe("CreateVault", () => {
  test("makes a vault and a code for its owner, on record in both vaults; the caller has no part in it", async () => {
    const key = newKey();
    const request = { name: "Zweigstelle Köln", ownerCodeKeySha256: keySha256(key) };
    const { vault, codeId, codeExpiresAt } = await world.call(
      world.owner,
      vaults.createVault,
      request,
    );
    expect(vault).toMatchObject({ name: "Zweigstelle Köln", machineCap: 7, machines: 0 });
    const vaultId = vault?.vaultId ?? "";
    expect(vaultId).toMatch(/^vlt_/);
    expect(codeExpiresAt && timestampMs(codeExpiresAt)).toBe(
      world.clock.nowMs + newVaultCodeLifetimeMs,
    );
    const actorId = world.owner.keyId.split(".")[0];
    const records = world.audit.events.filter(({ subjectId }) =>
      [vaultId, codeId].includes(subjectId),
    );
    expect(records).toMatchObject([
      { action: "vault.created", vaultId: world.vaultId, subjectId: vaultId, actorId },
      { action: "vault.created", vaultId, subjectId: vaultId, actorId },
      { action: "login_code.created", vaultId, subjectId: codeId, detail: { role: "owner" } },
    ]);
    const device = newKey();
    const answer = await world.call(
      device,
      people.redeemLoginCode,
      redeemRequest({ key, codeId, vaultId }, device, "ada"),
    );
    expect(answer).toMatchObject({ vaultId, role: Role.OWNER, userName: "ada" });
    const { vault: own } = await world.call(
      { ...device, keyId: answer.keyId },
      vaults.getVault,
      {},
    );
    expect(own?.name).toBe("Zweigstelle Köln");
    const { vault: mine } = await world.call(world.owner, vaults.getVault, {});
    expect(mine?.vaultId).toBe(world.vaultId);
  });

  test("refuses a code key twice, and names that cannot be shown", async () => {
    const request = { name: "x", ownerCodeKeySha256: keySha256(newKey()) };
    await world.call(world.owner, vaults.createVault, request);
    await expect(world.call(world.owner, vaults.createVault, request)).rejects.toMatchObject({
      reason: Reason.ALREADY_EXISTS,
      metadata: { field: "owner_code_key_sha256" },
    });
    for (const name of ["", "a\u0007", "x".repeat(129)]) {
      const wrong = { name, ownerCodeKeySha256: keySha256(newKey()) };
      await expect(world.call(world.owner, vaults.createVault, wrong)).rejects.toMatchObject({
        reason: Reason.FIELD_INVALID,
      });
    }
    const admin = await addUser(world, Role.ADMIN);
    await expect(world.call(admin, vaults.createVault, request)).rejects.toMatchObject({
      reason: Reason.ROLE_REQUIRED,
    });
  });

  test("machines of one vault do not count in another", async () => {
    const other = await addVault(world);
    const token = await makeToken(world, { maxUses: 8 }, other);
    for (let at = 0; at < 7; at += 1) await enrollKey(world, token, newKey());
    await expect(enrollKey(world, token, newKey())).rejects.toMatchObject({
      reason: Reason.MACHINE_CAP_REACHED,
    });
    await enrollKey(world, await makeToken(world), newKey());
    const { vault } = await world.call(other, vaults.getVault, {});
    expect(vault).toMatchObject({ machines: 7, machineCap: 7 });
  });
});

describe("nothing crosses from one vault to another", () => {
  /** What there is in the vault that a stranger reaches for. */
  type Target = {
    readonly token: TestToken;
    readonly projectIds: readonly string[];
    readonly machineId: string;
    readonly user: TestUser;
    readonly code: TestCode;
  };
  let target: Target;
  let stranger: TestUser;
  beforeAll(async () => {
    const owner = await addVault(world, "target");
    const token = await makeToken(world, { maxUses: 5 }, owner);
    const { machineId } = await enrollKey(world, token, newKey());
    const { token: stored } = await world.call(owner, enrollment.getToken, {
      tokenId: token.tokenId,
    });
    await world.call(owner, machines.renameMachine, { machineId, name: "renamed" });
    const user = await addUser(world, Role.ADMIN, owner);
    const code = await makeLoginCode(world, Role.ADMIN, owner);
    target = { token, projectIds: stored?.projectIds ?? [], machineId, user, code };
    stranger = await addVault(world, "strangers");
  });

  async function contents(vaultId: string): Promise<unknown> {
    const statements = [
      "select * from users where vault_id = $1 order by user_id",
      "select k.* from user_keys k join users using (user_id) where vault_id = $1 order by key_id",
      "select * from login_codes where vault_id = $1 order by code_id",
      "select * from enrollment_tokens where vault_id = $1 order by token_id",
      "select * from machines where vault_id = $1 order by machine_id",
      "select n.* from machine_names n join machines using (machine_id) where vault_id = $1 order by change_id",
    ];
    return Promise.all(statements.map((statement) => world.database.query(statement, [vaultId])));
  }

  /**
   * Calls as somebody of the other vault, and says how it ended: the reason, or what was in the
   * answer.
   */
  async function attempt<I extends DescMessage, O extends DescMessage>(
    key: TestKey,
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
  ): Promise<string> {
    try {
      const answer = await world.call(key, method, request);
      const text = JSON.stringify(answer, (_, value: unknown) =>
        typeof value === "bigint" ? `${value}` : value,
      );
      const { token, machineId, user, code } = target;
      const theirs = [token.tokenId, token.vaultId, machineId, user.userId, code.codeId];
      return theirs.some((id) => text.includes(id)) ? `told: ${text}` : "told nothing of theirs";
    } catch (error) {
      if (error instanceof Failure) return enumName(ReasonSchema, error.reason);
      throw error;
    }
  }

  const notFound = "NOT_FOUND";
  const nothing = "told nothing of theirs";
  const lifetime = durationFromMs(60_000);
  const walk: Readonly<Record<string, readonly [how: () => Promise<string>, want: string][]>> = {
    Enroll: [
      [
        () => {
          const machine = newKey();
          const { token } = target;
          const proof = prove("machine", stranger.vaultId, token.key, machine);
          const request = {
            ...enrollRequest(token, machine),
            vaultId: stranger.vaultId,
            admission: tokenAdmission(token.tokenId, token.key, proof),
          };
          return attempt(machine, enrollment.enroll, request);
        },
        "REQUEST_REJECTED",
      ],
    ],
    CreateToken: [
      [
        () =>
          attempt(stranger, enrollment.createToken, {
            tokenKeySha256: keySha256(newKey()),
            projectIds: [...target.projectIds],
            tokenLifetime: lifetime,
            machineLifetime: lifetime,
            maxUses: 1,
          }),
        notFound,
      ],
    ],
    GetToken: [
      [() => attempt(stranger, enrollment.getToken, { tokenId: target.token.tokenId }), notFound],
    ],
    ListTokens: [
      [() => attempt(stranger, enrollment.listTokens, {}), nothing],
      [
        () => attempt(stranger, enrollment.listTokens, { pageToken: target.token.tokenId }),
        nothing,
      ],
    ],
    RevokeToken: [
      [
        () => attempt(stranger, enrollment.revokeToken, { tokenId: target.token.tokenId }),
        notFound,
      ],
      [
        () =>
          attempt(stranger, enrollment.revokeToken, {
            tokenId: target.token.tokenId,
            cascade: true,
          }),
        notFound,
      ],
    ],
    GetMachine: [
      [() => attempt(stranger, machines.getMachine, { machineId: target.machineId }), notFound],
    ],
    BatchGetMachines: [
      [
        () => attempt(stranger, machines.batchGetMachines, { machineIds: [target.machineId] }),
        nothing,
      ],
    ],
    ListMachines: [
      [() => attempt(stranger, machines.listMachines, {}), nothing],
      [() => attempt(stranger, machines.listMachines, { tokenId: target.token.tokenId }), nothing],
      [() => attempt(stranger, machines.listMachines, { name: "renamed" }), nothing],
      [() => attempt(stranger, machines.listMachines, { pageToken: target.machineId }), nothing],
    ],
    RenameMachine: [
      [
        () =>
          attempt(stranger, machines.renameMachine, { machineId: target.machineId, name: "mine" }),
        notFound,
      ],
    ],
    DisableMachine: [
      [() => attempt(stranger, machines.disableMachine, { machineId: target.machineId }), notFound],
    ],
    EnableMachine: [
      [() => attempt(stranger, machines.enableMachine, { machineId: target.machineId }), notFound],
    ],
    RevokeMachine: [
      [() => attempt(stranger, machines.revokeMachine, { machineId: target.machineId }), notFound],
    ],
    RedeemLoginCode: [
      [
        () => {
          const device = newKey();
          const elsewhere = { ...target.code, vaultId: stranger.vaultId };
          return attempt(device, people.redeemLoginCode, redeemRequest(elsewhere, device));
        },
        "REQUEST_REJECTED",
      ],
    ],
    WhoAmI: [[() => attempt(stranger, people.whoAmI, {}), nothing]],
    SignOut: [[async () => attempt(await addDevice(world, stranger), people.signOut, {}), nothing]],
    RenewDevice: [
      [
        () => attempt(stranger, people.renewDevice, renewRequest(stranger, target.user)),
        "ALREADY_EXISTS",
      ],
    ],
    CreateDeviceCode: [
      [
        () =>
          attempt(stranger, people.createDeviceCode, {
            codeKeySha256: keySha256(target.code.key),
            lifetime,
          }),
        "ALREADY_EXISTS",
      ],
    ],
    CreateLoginCode: [
      [
        () =>
          attempt(stranger, people.createLoginCode, {
            codeKeySha256: keySha256(target.code.key),
            role: Role.OWNER,
            lifetime,
          }),
        "ALREADY_EXISTS",
      ],
    ],
    ListLoginCodes: [
      [() => attempt(stranger, people.listLoginCodes, {}), nothing],
      [() => attempt(stranger, people.listLoginCodes, { pageToken: target.code.codeId }), nothing],
    ],
    RevokeLoginCode: [
      [() => attempt(stranger, people.revokeLoginCode, { codeId: target.code.codeId }), notFound],
    ],
    GetUser: [[() => attempt(stranger, people.getUser, { userId: target.user.userId }), notFound]],
    ListUsers: [
      [() => attempt(stranger, people.listUsers, {}), nothing],
      [() => attempt(stranger, people.listUsers, { pageToken: target.user.userId }), nothing],
    ],
    RemoveUser: [
      [() => attempt(stranger, people.removeUser, { userId: target.user.userId }), notFound],
    ],
    RevokeDevice: [
      [() => attempt(stranger, people.revokeDevice, { keyId: target.user.keyId }), notFound],
    ],
    GetVault: [[() => attempt(stranger, vaults.getVault, {}), nothing]],
    CreateVault: [
      [
        () =>
          attempt(stranger, vaults.createVault, {
            name: "x",
            ownerCodeKeySha256: keySha256(target.code.key),
          }),
        "ALREADY_EXISTS",
      ],
    ],
  };
  const methods: readonly DescMethod[] = [
    EnrollmentService,
    MachineService,
    UserService,
    VaultService,
  ].flatMap((service): readonly DescMethod[] => service.methods);

  test.each(methods.map(({ name }) => name))("%s", async (name) => {
    const attempts = walk[name] ?? [];
    expect(attempts, "the method has an attempt").not.toEqual([]);
    const before = await contents(target.token.vaultId);
    const statuses = [...world.policy.principals];
    for (const [how, want] of attempts) expect(await how()).toBe(want);
    expect(await contents(target.token.vaultId)).toEqual(before);
    expect([...world.policy.principals]).toEqual(statuses);
  });

  test("the walk names no method that there is not", () => {
    expect(Object.keys(walk).toSorted()).toEqual(methods.map(({ name }) => name).toSorted());
  });

  test("the tables themselves hold no code or token of one vault made by a user of another", async () => {
    const { userId } = target.user;
    const now = new Date(world.clock.nowMs);
    const code = world.database.query(
      `insert into login_codes (code_id, vault_id, key_sha256, role, created_by, created_at, expires_at)
       values ($1, $2, $3, 'owner', $4, $5, $5)`,
      [newId("tok"), stranger.vaultId, keySha256(newKey()), userId, now],
    );
    await expect(code).rejects.toThrow(/login_codes_created_by/);
    const device = world.database.query(
      `insert into login_codes (code_id, vault_id, key_sha256, role, user_id, created_at, expires_at)
       values ($1, $2, $3, 'owner', $4, $5, $5)`,
      [newId("tok"), stranger.vaultId, keySha256(newKey()), userId, now],
    );
    await expect(device).rejects.toThrow(/login_codes_user/);
  });
});
