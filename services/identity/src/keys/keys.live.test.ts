import { timestampMs } from "@bufbuild/protobuf/wkt";
import { openCredential } from "@sallyport/evidence";
import { openDatabase } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { PrincipalKind, Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import type { ResolvedKey } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { MachineService } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { pickCredentialKey } from "./credential-key.ts";
import { deviceKeyLifetimeMs } from "../devices/device-key.ts";
import { recordKeyChanges } from "./change-store.ts";
import { makeMachine } from "../testing/fleet.ts";
import { createTestTrust, newKey } from "../testing/signing.ts";
import { type World, startWorld } from "../testing/world.ts";

const { disableMachine, enableMachine, revokeMachine } = MachineService.method;

let world: World;
beforeAll(async () => {
  world = await startWorld();
  return () => world[Symbol.asyncDispose]();
});
beforeEach(() => {
  world.clock.nowMs += 1000;
});

function claimsOf({ credential }: ResolvedKey) {
  if (!credential) throw new Error("there is no credential");
  return openCredential(credential, world.trust.trust, world.clock.nowMs);
}

describe("ResolveKeys", () => {
  test("answers each keyid of a batch: machine, user, unknown", async () => {
    const machine = await makeMachine(world);
    const unknown = [newId("mch"), `${newId("usr")}.${"0".repeat(20)}`];
    const keyIds = [...unknown, machine.keyId, world.owner.keyId];
    const { results } = await world.keys.resolveKeys({ keyIds });
    expect(results.map(({ keyId }) => keyId)).toEqual(keyIds);
    for (const { publicKey, credential, refusal } of results.slice(0, 2))
      expect({ publicKey, credential, refusal }).toEqual({
        publicKey: new Uint8Array(),
        credential: undefined,
        refusal: Reason.UNSPECIFIED,
      });
    const [ofMachine, ofOwner] = results.slice(2).map(claimsOf);
    expect(ofMachine).toMatchObject({
      principalId: machine.keyId,
      kind: PrincipalKind.MACHINE,
      role: Role.UNSPECIFIED,
      vaultId: world.vaultId,
      keyId: machine.keyId,
    });
    expect(ofMachine?.originId).toMatch(/^tok_/);
    expect(ofOwner?.originId).toBe("");
    expect(Buffer.from(ofMachine?.publicKey ?? [])).toEqual(Buffer.from(machine.publicKey));
    expect(ofOwner).toMatchObject({
      kind: PrincipalKind.USER,
      role: Role.OWNER,
      keyId: world.owner.keyId,
    });
  });

  test("a credential lives 60 seconds, and never longer than the machine", async () => {
    const machine = await makeMachine(world, { machineLifetimeMs: 90_000 });
    const lifetime = async () => {
      const { issuedAt, expiresAt } = claimsOf(await world.resolve(machine.keyId));
      return issuedAt && expiresAt ? timestampMs(expiresAt) - timestampMs(issuedAt) : 0;
    };
    expect(await lifetime()).toBe(60_000);
    world.clock.nowMs += 89_000;
    expect(await lifetime()).toBe(1000);
    world.clock.nowMs += 1000;
    const expired = await world.resolve(machine.keyId);
    expect(expired).toMatchObject({ refusal: Reason.MACHINE_EXPIRED });
    expect(expired.publicKey).toHaveLength(32);
    expect(expired.credential).toBeUndefined();
  });

  test("every credential has a serial of its own", async () => {
    const machine = await makeMachine(world);
    const [one, two] = [await world.resolve(machine.keyId), await world.resolve(machine.keyId)];
    expect(Buffer.from(claimsOf(one).serial)).not.toEqual(Buffer.from(claimsOf(two).serial));
  });

  test("a device key ends after 90 days", async () => {
    const before = world.clock.nowMs;
    world.clock.nowMs = before + deviceKeyLifetimeMs;
    expect(await world.resolve(world.owner.keyId)).toMatchObject({
      refusal: Reason.MACHINE_EXPIRED,
    });
    world.clock.nowMs = before;
  });
});

describe("WatchRevocations", () => {
  async function follow(stop: AbortSignal, onIds: (ids: readonly string[]) => void): Promise<void> {
    try {
      for await (const { principalIds } of world.keys.watchRevocations({}, { signal: stop }))
        onIds(principalIds);
    } catch (error) {
      if (!stop.aborted) throw error;
    }
  }

  test("tells within a second who was disabled, enabled and revoked, once each, on every stream", async () => {
    const machine = await makeMachine(world);
    const stop = new AbortController();
    const heard: string[][] = [[], []];
    let open = 0;
    const streams = heard.map((ids) =>
      follow(stop.signal, (more) => {
        if (more.length === 0 && ids.length === 0) open += 1;
        ids.push(...more);
      }),
    );
    await expect.poll(() => open).toBeGreaterThanOrEqual(2);
    const { keyId: machineId } = machine;
    const changes = [
      () => world.call(world.owner, disableMachine, { machineId }),
      () => world.call(world.owner, enableMachine, { machineId }),
      () => world.call(world.owner, revokeMachine, { machineId }),
    ];
    const expected: string[] = [];
    for (const change of changes) {
      await change();
      expected.push(machineId);
      await expect.poll(() => heard, { timeout: 1000 }).toEqual([expected, expected]);
    }
    stop.abort();
    await Promise.all(streams);
  });

  test("sends a heartbeat at least every two seconds", async () => {
    const stop = new AbortController();
    const times: number[] = [];
    const stream = follow(stop.signal, () => times.push(performance.now()));
    await expect.poll(() => times.length, { timeout: 5000 }).toBeGreaterThanOrEqual(3);
    stop.abort();
    await stream;
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(Math.max(...gaps)).toBeLessThan(2000);
  });

  test("hears of a change whose transaction began before others and committed after them", async () => {
    const stop = new AbortController();
    const heard: string[] = [];
    let open = false;
    const stream = follow(stop.signal, (ids) => {
      open = true;
      heard.push(...ids);
    });
    await expect.poll(() => open).toBe(true);
    const [slow, fast] = [newId("mch"), newId("mch")];
    await using elsewhere = openDatabase({
      url: world.urls.servingUrl,
      applicationName: "replica",
    });
    await elsewhere.transaction(async (tx) => {
      await recordKeyChanges(tx, [slow]);
      await world.database.transaction((other) => recordKeyChanges(other, [fast]));
      await expect.poll(() => heard).toEqual([fast]);
      await new Promise((resolve) => setTimeout(resolve, 500));
    });
    await expect.poll(() => heard).toEqual([fast, slow]);
    stop.abort();
    await stream;
  });
});

describe("pickCredentialKey", () => {
  test("takes the key that the keyset prefers, and refuses one that nobody would believe", () => {
    const { trust, credentialKey } = createTestTrust(world.clock.nowMs);
    const entry = { keyId: credentialKey.keyId, key: credentialKey.seed };
    expect(pickCredentialKey([entry], trust)).toEqual(credentialKey);
    const other = newKey().seed;
    expect(() => pickCredentialKey([{ ...entry, key: other }], trust)).toThrow("credential-1");
    // A key that is in the file before it is in the keyset waits there, and the old one goes on
    // signing.
    const unpublished = { keyId: "credential-2", key: other };
    expect(pickCredentialKey([unpublished, entry], trust)).toEqual(credentialKey);
    expect(() => pickCredentialKey([unpublished], trust)).toThrow("credential-2");
    expect(() => pickCredentialKey([], trust)).toThrow("SALLYPORT_CREDENTIAL_KEY_FILE");
  });
});
