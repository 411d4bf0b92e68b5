import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import * as fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { type Operation, createModel } from "./testing/model.ts";
import {
  type TestPolicy,
  readOf,
  reasonOf,
  startTestPolicy,
  testStartMs,
} from "./testing/policy.ts";
import { type World, carryOut, newWorld, size } from "./testing/world.ts";

const { machines, projects, secrets } = size;

let policy: TestPolicy;

beforeAll(async () => {
  policy = await startTestPolicy();
  return () => policy[Symbol.asyncDispose]();
});

const below = (count: number) => fc.nat({ max: count - 1 });
const some = (count: number) => fc.uniqueArray(below(count), { maxLength: count });
const m = below(machines);
const p = below(projects);
const s = below(secrets);
const any = fc.boolean();
const is = <T extends string>(...names: T[]) => fc.constantFrom(...names);

const setsOf = (project: number) =>
  fc.constantFrom([], [project], [project + 2], [project, project + 2]);

const named = { ps: some(projects), ss: some(secrets) };
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ do: is("enroll"), m, ps: fc.constantFrom([0], [1], [0, 1]), ss: some(secrets), any }),
  { weight: 2, arbitrary: fc.record({ do: is("join"), m, p }) },
  fc.record({ do: is("leave"), m, p }),
  { weight: 4, arbitrary: fc.record({ do: is("grant"), m, s, any }) },
  fc.record({ do: is("take"), m, s }),
  { weight: 2, arbitrary: fc.record({ do: is("set"), m, p: fc.constant(0), ss: setsOf(0), any }) },
  fc.record({ do: is("set"), m, p, ss: some(secrets), any }),
  fc.record({ do: is("stand"), m, to: is("active", "active", "disabled", "revoked", "expired") }),
  fc.record({
    do: is("end"),
    ms: fc.uniqueArray(m, { minLength: 1 }),
    to: is("revoked", "expired"),
  }),
  { weight: 2, arbitrary: fc.record({ do: is("retire"), ...named }) },
  fc.record({ do: is("purge"), ps: fc.constantFrom([], [], [0]), ss: some(secrets) }),
  { weight: 2, arbitrary: fc.record({ do: is("reinstate"), ...named }) },
  { weight: 2, arbitrary: fc.record({ do: is("seal"), s, on: fc.boolean() }) },
  fc.record({ do: is("sealAll"), on: fc.boolean() }),
  fc.record({ do: is("wait"), minutes: fc.constantFrom(5, 30) }),
);

const waysToRead = [false, true].flatMap((byVersion) =>
  [false, true].map((sealed) => ({ byVersion, sealed })),
);

/**
 * Every machine asks for every secret, current and by version, sealed and not: what Authorize
 * answers, and what the model does.
 */
async function readings(world: World, model: ReturnType<typeof createModel>) {
  const asked = world.m.flatMap((machineId, machine) =>
    [...world.s, world.foreign].flatMap((secretId, secret) =>
      waysToRead.map(({ byVersion, sealed }) => ({
        item: {
          ...readOf(world.vaultId, machineId, [secretId]),
          requestedVersion: byVersion ? 7 : 0,
          sealed,
        },
        expected: model.refusal(machine, secret, byVersion, sealed),
      })),
    ),
  );
  // So much later that none of the denials before counts against this one's machine.
  policy.time.steadyMs += 60_000;
  const { results } = await policy.authorization.authorize({
    items: asked.map(({ item }) => item),
  });
  const answers = new Map(
    results.map(({ requestDigest, refusal, permit }) => [
      Buffer.from(requestDigest).toString("hex"),
      refusal?.reason ?? (permit ? Reason.UNSPECIFIED : undefined),
    ]),
  );
  const answerTo = (digest: Uint8Array) => answers.get(Buffer.from(digest).toString("hex"));
  return {
    answered: asked.map(({ item }) => answerTo(item.requestDigest)),
    expected: asked.map(({ expected }) => expected),
  };
}

/** What the lists say about every machine that is known, and what the model does. */
async function listings({ owner, ...world }: World, model: ReturnType<typeof createModel>) {
  const { counts } = await policy.call(owner, GrantService.method.countGrants, {
    machineIds: world.m,
  });
  const counted = new Map(
    counts.map((count) => [count.machineId, [count.projects, count.secrets]]),
  );
  const grants = await Promise.all(
    world.m.map((machineId) =>
      policy
        .call(owner, GrantService.method.listGrantsByMachine, { machineId })
        .then((page) =>
          page.grants.map(({ secretId, refusal }) => `${secretId} ${refusal?.reason ?? 0}`),
        )
        .catch(() => []),
    ),
  );
  const expected = world.m.map((_, machine) => model.listed(machine));
  return {
    answered: { counted: world.m.map((id) => counted.get(id)), grants },
    expected: {
      counted: expected.map(({ ps, ss }) => [ps, ss.length]),
      grants: expected.map(({ ss }, machine) =>
        ss
          .map((secret) => `${world.s[secret]} ${model.refusal(machine, secret, false, true)}`)
          .sort(),
      ),
    },
  };
}

test("whatever happens, policy answers as the model does", { timeout: 120_000 }, async () => {
  const everything: Operation = { do: "enroll", m: 0, ps: [0, 1], ss: [0, 1, 2, 3], any: false };
  const run = async (operations: readonly Operation[]) => {
    policy.time.nowMs = testStartMs;
    const [world, model] = [await newWorld(policy), createModel()];
    for (const op of [everything, ...operations]) {
      policy.audit.events.length = 0;
      const reason = await reasonOf(carryOut(policy, world, op));
      expect([Reason.UNSPECIFIED, Reason.NOT_FOUND, Reason.FIELD_INVALID]).toContain(reason);
      expect([op, reason === Reason.UNSPECIFIED]).toEqual([op, model.run(op)]);
      const reads = await readings(world, model);
      expect([op, reads.answered]).toEqual([op, reads.expected]);
    }
    const lists = await listings(world, model);
    expect(lists.answered).toEqual(lists.expected);
  };
  const sequences = fc.array(operation, { minLength: 3, maxLength: 16 });
  await fc.assert(fc.asyncProperty(sequences, run), { numRuns: 20 });
});
