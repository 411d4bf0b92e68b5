import { setTimeout as sleep } from "node:timers/promises";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { Failure } from "@sallyport/rpc";
import { expect, test } from "vitest";
import { type TestToken, enrollKey, makeToken } from "../testing/fleet.ts";
import { type TestKey, newKey } from "../testing/signing.ts";
import { type World, startWorld } from "../testing/world.ts";

/**
 * As a client does: no answer in time is no verdict, and the same key asks again after the delay
 * that it is told.
 */
async function enrollUntilTold(
  world: World,
  token: TestToken,
  machine: TestKey,
): Promise<Reason | undefined> {
  for (;;) {
    try {
      await enrollKey(world, token, machine);
      return undefined;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (error.reason !== Reason.DEPENDENCY_UNAVAILABLE) return error.reason;
      await sleep(error.retryAfterMs ?? 1000);
    }
  }
}

// The time is that of everything in one process: 3,000 clients that sign, identity, and the
// stand-ins for its peers.
test("counts exactly: 3,000 keys at once on 1,000 uses make 1,000 machines", async () => {
  await using world = await startWorld();
  const token = await makeToken(world, { maxUses: 1000 });
  const machines = Array.from({ length: 3000 }, newKey);
  const begunMs = performance.now();
  const told = await Promise.all(machines.map((machine) => enrollUntilTold(world, token, machine)));
  console.log(
    `3,000 enrollments on 1,000 uses: ${((performance.now() - begunMs) / 1000).toFixed(1)} s`,
  );
  expect(told.filter((reason) => reason === undefined)).toHaveLength(1000);
  expect(told.filter((reason) => reason === Reason.TOKEN_EXHAUSTED)).toHaveLength(2000);
  const { tokenId } = token;
  const stored = await world.call(world.owner, EnrollmentService.method.getToken, { tokenId });
  expect(stored.token?.uses).toBe(1000);
  const machinesStored = await world.database.query(
    "select machine_id from machines where token_id = $1 and state = 'active'",
    [tokenId],
  );
  expect(machinesStored).toHaveLength(1000);
  const recordsOf = (action: string) => world.audit.recordsOf(action, tokenId);
  expect(new Set(recordsOf("machine.enrolled").map(({ machineId }) => machineId)).size).toBe(1000);
  expect(recordsOf("machine.enrolled")).toHaveLength(1000);
  // The first have records of their own, the next begins to count the others.
  const refused = recordsOf("token.refused");
  expect(new Set(refused.map(({ reason }) => reason))).toEqual(new Set(["TOKEN_EXHAUSTED"]));
  expect(refused.filter(({ detail }) => detail["count"] === undefined)).toHaveLength(20);
  expect(refused.length).toBeLessThanOrEqual(25);
  expect(recordsOf("token.exhausted")).toHaveLength(1);
}, 300_000);
