import { timestampMs } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { credentialLifetimeMs, maxSkewMs } from "@sallyport/evidence";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { KeyService } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { fail } from "@sallyport/rpc";
import { exposeMetrics } from "@sallyport/telemetry";
import { seriesOf } from "@sallyport/test/infra";
import { beforeEach, describe, expect, test } from "vitest";
import { type TestPrincipal, createTestTrust, newMachine, newUser } from "../testing/keys.ts";
import { type TestPeers, createTestPeers } from "../testing/peers.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { type KeyCache, createKeyCache } from "./key-cache.ts";

const trust = createTestTrust();
let peers: TestPeers;
let asked: string[][];
let nowMs: number;
let steadyMs: number;
let keys: KeyCache;
let machine: TestPrincipal;
/** How many look-ups of unknown keyids are free. */
let free: number;
const allowance = {
  take(): void {
    if (free === 0) throw fail(Reason.RATE_LIMITED);
    free -= 1;
  },
  giveBack: () => void (free += 1),
};
const find = (keyId: string) => keys.find(keyId, allowance);

beforeEach(() => {
  peers = createTestPeers(trust);
  asked = [];
  nowMs = Date.now();
  steadyMs = 0;
  const { resolveKeys } = peers.steps;
  peers.steps.resolveKeys = (request, context) => {
    asked.push(request.keyIds);
    return resolveKeys(request, context);
  };
  const identity = createClient(KeyService, peers.transports.keys);
  keys = createKeyCache(
    identity,
    { time: () => nowMs, steady: () => steadyMs },
    { known: 3, unknown: 3 },
  );
  free = 1000;
  keys.setWatched(true);
  machine = peers.enroll(newMachine());
});

/** Has identity answer only when told to, with what it knew when it was asked. */
function holdAnswers(): { readonly release: () => void } {
  const { resolveKeys } = peers.steps;
  const { promise, resolve: release } = Promise.withResolvers<void>();
  peers.steps.resolveKeys = async (request, context) => {
    const known = await resolveKeys(request, context);
    await promise;
    return known;
  };
  return { release };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

async function lookups(): Promise<number[]> {
  const series = seriesOf(await exposeMetrics());
  return ["hit", "miss", "joined"].map(
    (result) => series.get(`sallyport_cache_lookups_total{cache="keys",result="${result}"}`) ?? 0,
  );
}

describe("looking up", () => {
  test("gives the key and the credential's claims", async () => {
    const known = await find(machine.keyId);
    expect(known?.resolved.publicKey).toEqual(machine.publicKey);
    expect(known?.claims).toMatchObject({
      principalId: machine.principalId,
      vaultId: machine.vaultId,
    });
  });

  test("asks once for many who ask for one key at a time, and once for many keys", async () => {
    const other = peers.enroll(newUser(Role.OWNER));
    const [hits = 0, misses = 0, joined = 0] = await lookups();
    const found = await Promise.all(
      [machine, machine, other, machine].map(({ keyId }) => find(keyId)),
    );
    expect(found.map((known) => known?.resolved.keyId)).toEqual(
      [machine, machine, other, machine].map(({ keyId }) => keyId),
    );
    expect(asked).toEqual([[machine.keyId, other.keyId]]);
    expect(await lookups()).toEqual([hits, misses + 2, joined + 2]);
  });

  test("asks for 256 keys at a time", async () => {
    await Promise.all(Array.from({ length: 600 }, () => find(newMachine().keyId)));
    expect(asked.map(({ length }) => length)).toEqual([256, 256, 88]);
  });

  test("joins a look-up on its way, also one that began after a revocation", async () => {
    const answers = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { resolveKeys } = peers.steps;
    let calls = 0;
    peers.steps.resolveKeys = async (request, context) => {
      const known = await resolveKeys(request, context);
      await answers[calls++]?.promise;
      return known;
    };
    const first = find(machine.keyId);
    await turn();
    const joined = find(machine.keyId);
    await turn();
    expect(asked).toHaveLength(1);
    keys.forget([machine.principalId]);
    const second = find(machine.keyId);
    await turn();
    answers[0]?.resolve();
    await Promise.all([first, joined]);
    const third = find(machine.keyId);
    await turn();
    answers[1]?.resolve();
    await Promise.all([second, third]);
    expect(asked).toHaveLength(2);
  });

  test.each([
    ["a heartbeat", () => keys.forget([])],
    ["word that revocations are still heard", () => keys.setWatched(true)],
  ])("is not undone by %s", async (_, happens) => {
    const held = holdAnswers();
    const found = find(machine.keyId);
    await turn();
    happens();
    held.release();
    await found;
    await find(machine.keyId);
    expect(asked).toHaveLength(1);
  });

  test("fails for all who wait when identity does not answer, and is not kept", async () => {
    const { resolveKeys } = peers.steps;
    peers.steps.resolveKeys = () => {
      throw fail(Reason.DEPENDENCY_UNAVAILABLE);
    };
    const waiting = [find(machine.keyId), find(machine.keyId)];
    for (const one of waiting)
      await expect(one).rejects.toMatchObject({ reason: Reason.DEPENDENCY_UNAVAILABLE });
    peers.steps.resolveKeys = resolveKeys;
    expect(await find(machine.keyId)).toBeDefined();
  });
});

describe("remembering", () => {
  test("lasts 5 seconds while revocations are heard", async () => {
    await find(machine.keyId);
    steadyMs += 4999;
    await find(machine.keyId);
    expect(asked).toHaveLength(1);
    steadyMs += 1;
    await find(machine.keyId);
    expect(asked).toHaveLength(2);
  });

  test("lasts one second for what identity does not know", async () => {
    const { keyId } = newMachine();
    expect(await find(keyId)).toBeUndefined();
    steadyMs += 999;
    expect(await find(keyId)).toBeUndefined();
    expect(asked).toHaveLength(1);
    steadyMs += 1;
    await find(keyId);
    expect(asked).toHaveLength(2);
  });

  test("lasts as long for a key that was disabled, which has no credential", async () => {
    const { publicKey } = machine;
    const refusal = Reason.MACHINE_DISABLED;
    peers.steps.resolveKeys = ({ keyIds }) => {
      asked.push(keyIds);
      return { results: keyIds.map((keyId) => ({ keyId, publicKey, refusal })) };
    };
    for (let n = 0; n < 2; n += 1)
      expect((await find(machine.keyId))?.resolved.refusal).toBe(refusal);
    expect(asked).toHaveLength(1);
  });

  test("does not outlive the credential", async () => {
    const { resolveKeys } = peers.steps;
    peers.steps.resolveKeys = async (request, context) => {
      const { results = [] } = await resolveKeys(request, context);
      return {
        results: results.map((result) => ({
          ...result,
          credential: trust.credentialOf(machine, 2000),
        })),
      };
    };
    await find(machine.keyId);
    nowMs = Date.now() + 2000;
    await find(machine.keyId);
    expect(asked).toHaveLength(2);
  });

  test("does not keep a credential that was made while a clock was wrong", async () => {
    nowMs -= 10_000;
    await find(machine.keyId);
    await find(machine.keyId);
    expect(asked).toHaveLength(2);
    nowMs += 10_000;
    await find(machine.keyId);
    await find(machine.keyId);
    expect(asked).toHaveLength(2);
  });

  test.each([
    { name: "in its last millisecond", beforeEndMs: 1, calls: 1 },
    { name: "at its end", beforeEndMs: 0, calls: 2 },
    {
      name: "with the longest life it may have",
      beforeEndMs: credentialLifetimeMs + maxSkewMs,
      calls: 1,
    },
    { name: "with a longer one", beforeEndMs: credentialLifetimeMs + maxSkewMs + 1, calls: 2 },
  ])("of a credential $name takes $calls call(s)", async ({ beforeEndMs, calls }) => {
    const known = await find(machine.keyId);
    const { expiresAt } = known?.claims ?? {};
    if (!expiresAt) throw new Error("no credential");
    nowMs = timestampMs(expiresAt) - beforeEndMs;
    await find(machine.keyId);
    expect(asked).toHaveLength(calls);
  });

  test("ends after its seconds where the time of day is set back meanwhile", async () => {
    await find(machine.keyId);
    nowMs -= 600_000;
    steadyMs += 5000;
    await find(machine.keyId);
    expect(asked).toHaveLength(2);
  });

  test("of an unknown key ends after its second where the time of day was wrong then", async () => {
    const stranger = newMachine();
    nowMs += 600_000;
    await find(stranger.keyId);
    nowMs -= 600_000;
    peers.enroll(stranger);
    steadyMs += 1000;
    expect((await find(stranger.keyId))?.claims?.principalId).toBe(stranger.principalId);
  });

  test("is for so many keys; the oldest goes first", async () => {
    await find(machine.keyId);
    for (let n = 0; n < 3; n += 1) await find(peers.enroll(newMachine()).keyId);
    asked.splice(0);
    await find(machine.keyId);
    expect(asked).toEqual([[machine.keyId]]);
    expect(keys.size()).toBe(3);
  });

  test("begins anew for a key that is looked up again", async () => {
    await find(machine.keyId);
    for (let n = 0; n < 2; n += 1) await find(peers.enroll(newMachine()).keyId);
    steadyMs += 5000;
    await find(machine.keyId);
    await find(peers.enroll(newMachine()).keyId);
    asked.splice(0);
    await find(machine.keyId);
    expect(asked).toEqual([]);
  });

  test("of what is unknown is apart: it makes nobody's key forgotten", async () => {
    await find(machine.keyId);
    const strangers = Array.from({ length: 20 }, () => newMachine().keyId);
    for (const keyId of strangers) await find(keyId);
    asked.splice(0);
    await find(machine.keyId);
    await find(strangers.at(-1) ?? "");
    expect(asked).toEqual([]);
    expect(keys.size()).toBe(1);
    await find(strangers[0] ?? ""); // Only so many of them are remembered.
    expect(asked).toHaveLength(1);
  });
});

describe("look-ups of unknown keyids", () => {
  const limited = { reason: Reason.RATE_LIMITED };
  beforeEach(() => void (free = 2));

  test("cost the address that asks, and nothing more is looked up for it", async () => {
    for (let n = 0; n < 2; n += 1) expect(await find(newMachine().keyId)).toBeUndefined();
    asked.splice(0);
    await expect(find(newMachine().keyId)).rejects.toMatchObject(limited);
    expect(asked).toEqual([]);
  });

  test("cost nothing for a key that is known, or was a moment ago, or while identity is away", async () => {
    for (let n = 0; n < 5; n += 1) await find(peers.enroll(newMachine()).keyId);
    await find(machine.keyId);
    steadyMs += 5000;
    free = 0;
    expect(await find(machine.keyId)).toBeDefined();
    free = 2;
    peers.steps.resolveKeys = () => {
      throw fail(Reason.DEPENDENCY_UNAVAILABLE);
    };
    await expect(find(newMachine().keyId)).rejects.toMatchObject({
      reason: Reason.DEPENDENCY_UNAVAILABLE,
    });
    expect(free).toBe(2);
  });

  test("cost something again for a key that was known and ended", async () => {
    await find(machine.keyId);
    peers.steps.resolveKeys = ({ keyIds }) => ({ results: keyIds.map((keyId) => ({ keyId })) });
    steadyMs += 5000;
    expect(await find(machine.keyId)).toBeUndefined();
    steadyMs += 1000;
    free = 0;
    await expect(find(machine.keyId)).rejects.toMatchObject(limited);
  });

  test("of a known keyid wait for nobody who has used up the allowance", async () => {
    free = 0;
    const refused: unknown = find(machine.keyId).catch((error: unknown) => error);
    free = 1;
    expect(await find(machine.keyId)).toBeDefined();
    expect(await refused).toMatchObject(limited);
  });
});

describe("a revocation", () => {
  test("is heeded at once, for every key of the principal and for nobody else's", async () => {
    const user = peers.enroll(newUser(Role.OWNER));
    const device = peers.enroll({ ...user, keyId: `${user.principalId}.00000000000000000000` });
    for (const { keyId } of [user, device, machine]) await find(keyId);
    asked.splice(0);
    keys.forget([user.principalId]);
    for (const { keyId } of [user, device, machine]) await find(keyId);
    expect(asked).toEqual([[user.keyId], [device.keyId]]);
  });

  test("is not undone by an answer that was on its way", async () => {
    const held = holdAnswers();
    const before = find(machine.keyId);
    await turn();
    peers.enroll(machine, Reason.MACHINE_DISABLED);
    keys.forget([machine.principalId]);
    const after = find(machine.keyId);
    await turn();
    held.release();
    await before;
    expect((await after)?.resolved.refusal).toBe(Reason.MACHINE_DISABLED);
    expect((await find(machine.keyId))?.resolved.refusal).toBe(Reason.MACHINE_DISABLED);
  });
});

describe("without word of revocations", () => {
  test("everything is forgotten, and lasts one second from then on", async () => {
    await find(machine.keyId);
    keys.setWatched(false);
    await find(machine.keyId);
    expect(asked).toHaveLength(2);
    steadyMs += 999;
    await find(machine.keyId);
    expect(asked).toHaveLength(2);
    steadyMs += 1;
    await find(machine.keyId);
    expect(asked).toHaveLength(3);
  });

  test("lasts one second before the first word, and is kept when it comes", async () => {
    keys = createKeyCache(createClient(KeyService, peers.transports.keys), {
      time: () => nowMs,
      steady: () => steadyMs,
    });
    await find(machine.keyId);
    steadyMs += 999;
    keys.setWatched(true);
    await find(machine.keyId);
    expect(asked).toHaveLength(1);
    steadyMs += 1;
    await find(machine.keyId);
    expect(asked).toHaveLength(2);
  });

  test("an answer that was on its way when the watch began is not kept", async () => {
    keys.setWatched(false);
    const held = holdAnswers();
    const before = find(machine.keyId);
    await turn();
    keys.setWatched(true);
    held.release();
    await before;
    await find(machine.keyId);
    expect(asked).toHaveLength(2);
  });
});
