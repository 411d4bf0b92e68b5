import { setTimeout as sleep } from "node:timers/promises";
import { openDatabase } from "@sallyport/postgres";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { PrincipalKind, Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { VaultService } from "@sallyport/proto/gen/sallyport/identity/v1/vault_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { Failure } from "@sallyport/rpc";
import { beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { deviceKeyLifetimeMs } from "../devices/device-key.ts";
import {
  makeFirstVault,
  ownerCodeLifetimeMs,
  recoverVault,
  recoveryCodeLifetimeMs,
} from "../vaults/first-vault.ts";
import {
  insertLoginCode,
  lockLoginCode,
  redeemLoginCode as redeemLoginCodeRow,
  revokeLoginCodes,
} from "./store.ts";
import { makeMachine } from "../testing/fleet.ts";
import { redeem as redeemAs, redeemRequest as requestOf } from "../testing/people.ts";
import { type TestKey, keySha256, newKey, prove } from "../testing/signing.ts";
import { type World, startWorld } from "../testing/world.ts";

const { redeemLoginCode, whoAmI } = UserService.method;
const codeLifetimeMs = 60_000;

let world: World;
beforeAll(async () => {
  world = await startWorld();
  return () => world[Symbol.asyncDispose]();
});
beforeEach(() => {
  world.clock.nowMs += 1000;
});

type Code = { readonly key: TestKey; readonly codeId: string };

async function makeCode(role: "owner" | "auditor" = "auditor"): Promise<Code> {
  const [key, codeId, nowMs] = [newKey(), newId("tok"), world.clock.nowMs];
  await insertLoginCode(world.ownerDatabase, {
    codeId,
    vaultId: world.vaultId,
    keySha256: keySha256(key),
    role,
    userId: null,
    createdBy: null,
    createdByKey: null,
    createdAt: new Date(nowMs),
    expiresAt: new Date(nowMs + codeLifetimeMs),
  });
  return { key, codeId };
}

function redeemRequest(code: Code, device: TestKey) {
  return requestOf({ ...code, vaultId: world.vaultId }, device);
}

function redeem(code: Code, device: TestKey, userName?: string) {
  return redeemAs(world, { ...code, vaultId: world.vaultId }, device, userName);
}

function recordsOf(action: string) {
  return world.audit.events.filter((event) => event.action === action);
}

describe("RedeemLoginCode", () => {
  test("makes a user of the code's role with a key for 90 days, and records it", async () => {
    const device = newKey();
    const answer = await redeem(await makeCode(), device, "grace");
    expect(answer).toMatchObject({ vaultId: world.vaultId, role: Role.AUDITOR, userName: "grace" });
    expect(answer.keyId).toMatch(new RegExp(`^${answer.userId}\\.[0-9a-hjkmnp-tv-z]{20}$`));
    const expiresMs = Number(answer.keyExpiresAt?.seconds) * 1000;
    expect(expiresMs).toBe(Math.floor((world.clock.nowMs + deviceKeyLifetimeMs) / 1000) * 1000);
    expect(recordsOf("user.enrolled").at(-1)).toMatchObject({
      actorId: answer.userId,
      subjectId: answer.userId,
      vaultId: world.vaultId,
      detail: { name: "grace", role: "auditor", key_id: answer.keyId },
    });
    const { vault } = await world.call(
      { ...device, keyId: answer.keyId },
      VaultService.method.getVault,
      {},
    );
    expect(vault).toMatchObject({ vaultId: world.vaultId, name: "first" });
  });

  test("lets one key in: of ten at once one becomes a user, and only it gets the user again", async () => {
    const code = await makeCode();
    const devices = Array.from({ length: 10 }, newKey);
    const results = await Promise.allSettled(devices.map((device) => redeem(code, device)));
    const winner = results.findIndex(({ status }) => status === "fulfilled");
    const told = results.flatMap((result) =>
      result.status === "rejected" && result.reason instanceof Failure
        ? [result.reason.reason]
        : [],
    );
    expect(told).toEqual(Array.from({ length: 9 }, () => Reason.TOKEN_EXHAUSTED));
    world.clock.nowMs += codeLifetimeMs;
    const [first] = results.slice(winner);
    const again = await redeem(code, devices[winner] ?? newKey());
    expect(first?.status === "fulfilled" ? first.value : undefined).toEqual(again);
    await expect(redeem(code, newKey())).rejects.toMatchObject({ reason: Reason.TOKEN_EXHAUSTED });
  });

  test("waits for another redemption of the code that is under way, and is then told that it is spent", async () => {
    const code = await makeCode();
    const { owner } = world;
    const late = await world.database.transaction(async (tx) => {
      await lockLoginCode(tx, world.vaultId, code.codeId);
      await redeemLoginCodeRow(tx, code.codeId, owner.keyId, new Date(world.clock.nowMs));
      const running = redeem(code, newKey()).catch((error: unknown) => error);
      await sleep(200);
      return { running };
    });
    expect(await late.running).toMatchObject({ reason: Reason.TOKEN_EXHAUSTED });
  });

  test("an expired or revoked code makes no user and is recorded", async () => {
    const expired = await makeCode();
    world.clock.nowMs += codeLifetimeMs;
    await expect(redeem(expired, newKey())).rejects.toMatchObject({ reason: Reason.TOKEN_EXPIRED });
    const revoked = await makeCode();
    await revokeLoginCodes(world.ownerDatabase, world.vaultId, new Date(world.clock.nowMs));
    await expect(redeem(revoked, newKey())).rejects.toMatchObject({ reason: Reason.TOKEN_REVOKED });
    expect(recordsOf("login_code.refused").slice(-2)).toMatchObject([
      { reason: "TOKEN_EXPIRED", subjectId: expired.codeId },
      { reason: "TOKEN_REVOKED", subjectId: revoked.codeId },
    ]);
  });

  test("whatever a stranger gets wrong is REQUEST_REJECTED, recorded, and spends nothing", async () => {
    const code = await makeCode();
    const device = newKey();
    const request = redeemRequest(code, device);
    const other = newKey();
    const { vaultId } = world;
    const wrong = [
      { codeId: newId("tok") },
      { codePublicKey: other.publicKey, codeProof: prove("device", vaultId, other, device) },
      { codeProof: prove("device", vaultId, code.key, other) },
      { codeProof: prove("machine", vaultId, code.key, device) },
      { devicePublicKey: other.publicKey, codeProof: prove("device", vaultId, code.key, other) },
    ];
    const before = recordsOf("login_code.refused").length;
    for (const [index, change] of wrong.entries()) {
      const evidence = await world.evidence(device, redeemLoginCode, { ...request, ...change });
      // Refusals of a kind are counted together: each comes from an address of its own.
      const sent = { ...evidence, sourceIp: `198.51.100.${index}` };
      await expect(world.send(redeemLoginCode, sent)).rejects.toMatchObject({
        reason: Reason.REQUEST_REJECTED,
      });
    }
    await vi.waitFor(() =>
      expect(recordsOf("login_code.refused").slice(before)).toMatchObject(
        ["token", "token", "proof", "proof", "signer"].map((step) => ({
          detail: { step, count: "1" },
        })),
      ),
    );
    await redeem(code, device);
  });

  test("a device key is one user's: another code does not make it a second one", async () => {
    const [first, second, device] = [await makeCode(), await makeCode(), newKey()];
    await redeem(first, device);
    await expect(redeem(second, device)).rejects.toMatchObject({ reason: Reason.REQUEST_REJECTED });
    await redeem(second, newKey());
  });

  test("the same request forwarded twice is refused", async () => {
    const [code, device] = [await makeCode(), newKey()];
    const request = await world.evidence(device, redeemLoginCode, redeemRequest(code, device));
    await world.send(redeemLoginCode, request);
    await expect(world.send(redeemLoginCode, request)).rejects.toMatchObject({
      reason: Reason.REQUEST_REJECTED,
    });
  });
});

describe("WhoAmI", () => {
  test("describes a user", async () => {
    const answer = await world.call(world.owner, whoAmI, {});
    expect(answer).toMatchObject({
      principalId: world.owner.keyId.split(".")[0],
      kind: PrincipalKind.USER,
      name: "ada",
      vaultId: world.vaultId,
      vaultName: "first",
      role: Role.OWNER,
    });
  });

  test("describes a machine", async () => {
    const machine = await makeMachine(world);
    const answer = await world.call(machine, whoAmI, {});
    expect(answer).toMatchObject({
      principalId: machine.keyId,
      kind: PrincipalKind.MACHINE,
      name: "runner-1",
      role: Role.UNSPECIFIED,
    });
  });
});

describe("makeFirstVault", () => {
  test("made vault and code with their records, and changes nothing once somebody has logged in", async () => {
    await using empty = await startWorld();
    const make = (key: TestKey) =>
      makeFirstVault(
        empty.ownerDatabase,
        { name: "other", ownerKeySha256: keySha256(key) },
        empty.clock.nowMs,
      );
    const settled = await make(newKey());
    expect(settled).toMatchObject({ vaultId: empty.vaultId, created: false, entered: true });
    expect(empty.audit.events.slice(0, 2).map(({ action }) => action)).toEqual([
      "vault.created",
      "login_code.created",
    ]);
  });

  test("repeated with the same key returns the same code; another key replaces one that was not redeemed", async () => {
    await using other = await startWorld();
    const [vaultId, nowMs] = [other.vaultId, other.clock.nowMs];
    // A vault in which nobody has logged in.
    await using owner = openDatabase({ url: other.urls.ownerUrl, applicationName: "test" });
    for (const table of ["login_codes", "user_keys", "users"])
      await owner.query(`delete from ${table}`);
    const [one, two] = [newKey(), newKey()];
    const make = (key: TestKey, atMs: number) =>
      makeFirstVault(other.ownerDatabase, { name: "x", ownerKeySha256: keySha256(key) }, atMs);
    const first = await make(one, nowMs);
    expect(first).toMatchObject({ vaultId, created: true, entered: false });
    expect(await make(one, nowMs + ownerCodeLifetimeMs)).toEqual({ ...first, created: false });
    const second = await make(two, nowMs);
    expect(second).toMatchObject({ vaultId, created: true });
    const codes = await owner.query<{ code_id: string; revoked_at: Date | null }>(
      "select code_id, revoked_at from login_codes",
    );
    expect(
      codes.filter(({ revoked_at }) => revoked_at === null).map(({ code_id }) => code_id),
    ).toEqual([second.codeId]);
    await expect(make(one, nowMs)).rejects.toThrow(`the login code ${first.codeId} was revoked`);
  });

  test("repeated once somebody has logged in gives an old code no new time", async () => {
    await using other = await startWorld();
    const ends = () =>
      other.database.query<{ ends: Date }>("select expires_at as ends from login_codes");
    await using owner = openDatabase({ url: other.urls.ownerUrl, applicationName: "test" });
    await owner.query("update login_codes set redeemed_by = null, redeemed_at = null");
    const before = await ends();
    const [{ key_sha256 } = { key_sha256: new Uint8Array() }] = await owner.query<{
      key_sha256: Uint8Array;
    }>("select key_sha256 from login_codes");
    const again = { name: "x", ownerKeySha256: key_sha256 };
    await makeFirstVault(other.ownerDatabase, again, other.clock.nowMs + ownerCodeLifetimeMs);
    expect(await ends()).toEqual(before);
  });
});

describe("recoverVault", () => {
  test("lets a new owner in when no owner can act any more, and has it on record", async () => {
    await using lost = await startWorld();
    lost.clock.nowMs += deviceKeyLifetimeMs;
    expect((await lost.resolve(lost.owner.keyId)).refusal).toBe(Reason.MACHINE_EXPIRED);
    const key = newKey();
    const asked = { vaultId: lost.vaultId, ownerKeySha256: keySha256(key) };
    const { vaultId, codeId } = await recoverVault(lost.ownerDatabase, asked, lost.clock.nowMs);
    const answer = await redeemAs(lost, { key, codeId, vaultId }, newKey(), "rescuer");
    expect(answer).toMatchObject({ vaultId: lost.vaultId, role: Role.OWNER });
    const record = lost.audit.events.find(
      ({ action, subjectId }) => action === "login_code.created" && subjectId === codeId,
    );
    expect(record).toMatchObject({
      vaultId: lost.vaultId,
      actorKind: ActorKind.SERVICE,
      detail: { role: "owner", recovery: "true" },
    });
  });

  test("makes nothing for a vault that does not exist, and a code that is good for a day", async () => {
    const vaultId = newId("vlt");
    const recover = (id: string, key: TestKey) =>
      recoverVault(
        world.ownerDatabase,
        { vaultId: id, ownerKeySha256: keySha256(key) },
        world.clock.nowMs,
      );
    await expect(recover(vaultId, newKey())).rejects.toThrow(`there is no vault ${vaultId}`);
    const key = newKey();
    const made = await recover(world.vaultId, key);
    world.clock.nowMs += recoveryCodeLifetimeMs;
    await expect(redeemAs(world, { key, ...made }, newKey())).rejects.toMatchObject({
      reason: Reason.TOKEN_EXPIRED,
    });
  });
});
