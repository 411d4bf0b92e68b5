import type { DescMethodUnary } from "@bufbuild/protobuf";
import { AuditService, RecordScope } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, comparable } from "./matrix/call.ts";
import {
  type Expectation,
  type Outcome,
  type Principal,
  codes,
  expectations,
  principals,
  unwelcome,
} from "./matrix/expectations.ts";
import { nameOf, publicMethods } from "./matrix/methods.ts";
import { type Asker, type Way, requests } from "./matrix/requests.ts";
import { type Things, type Vault, absentThings } from "./matrix/vault.ts";
import { type World, createWorld } from "./matrix/world.ts";

const methods = await publicMethods();
let world: World;
let cells = 0;

beforeAll(async () => {
  world = await createWorld();
});
afterAll(async () => {
  console.log(`${cells} cells of ${methods.length} methods and ${principals.length} principals`);
  await world[Symbol.asyncDispose]();
});

const ownOf = (principal: Principal): Vault => (principal.startsWith("stranger") ? world.theirs : world.ours);
const foreignOf = (principal: Principal): Vault =>
  principal.startsWith("stranger") ? world.ours : world.theirs;

/** Asks once and checks code, status and reason. */
async function cell(
  method: DescMethodUnary,
  way: Way,
  who: Principal | Asker,
  things: Things,
  outcome: Outcome,
): Promise<Answer> {
  cells += 1;
  const asker = typeof who === "string" ? world.asker(who) : who;
  const request = await way.ask(things, asker, world.keys);
  const answer = await world.sender.send(asker.signer, method, request);
  const [code, status] = codes[outcome];
  const met = { status: answer.status, code: answer.code, outcome: answer.outcome };
  const named = `${typeof who === "string" ? who : asker.principalId}: ${answer.body.toString("latin1")}`;
  expect(met, named).toEqual({ status, code, outcome });
  return answer;
}

/** The own things with some of another's in their place: all that the request names, and each alone. */
function* mixtures(own: Things, { names }: Way, other: Partial<Things>): Generator<Things> {
  const places = names.filter((name) => name in other);
  const groups = places.length > 1 ? [places, ...places.map((name) => [name])] : [places];
  for (const group of groups)
    yield { ...own, ...Object.fromEntries(group.map((name) => [name, other[name]])) };
}

/** What is another vault's is answered, byte for byte, as what is nowhere. */
async function compareForeign(method: DescMethodUnary, way: Way, principal: Principal, outcome: Outcome) {
  const own = ownOf(principal).things;
  const nowhere = [...mixtures(own, way, absentThings())];
  const foreign = [...mixtures(own, way, foreignOf(principal).things)];
  for (const [index, things] of foreign.entries()) {
    const absent = nowhere[index];
    if (!absent) throw new Error("as many of one as of the other");
    const asker = world.asker(principal);
    const told = async (named: Things) => {
      const answer = await cell(method, way, asker, named, outcome);
      return comparable(
        method,
        answer,
        way.names.flatMap((name) => textsOf(named[name])),
      );
    };
    expect(await told(things), `${principal}, ${way.names.join()}`).toBe(await told(absent));
  }
}

function textsOf(thing: Things[keyof Things]): string[] {
  return typeof thing === "string" ? [thing] : [thing.id];
}

/** All who should be refused, and all things that should not be found, by everybody at once. */
async function refuseAll(method: DescMethodUnary, { callers, namings }: Expectation): Promise<void> {
  const ways = requests[nameOf(method)] ?? {};
  await Promise.all(
    principals.map(async (principal) => {
      const welcome = callers.includes(principal);
      for (const [label, way] of Object.entries(ways)) {
        const { foreign, misplaced } = namings[label] ?? {};
        if (!welcome) await cell(method, way, principal, ownOf(principal).things, unwelcome(principal));
        if (way.names.length > 0)
          await compareForeign(method, way, principal, welcome ? (foreign ?? "done") : unwelcome(principal));
        if (!misplaced) continue;
        const [all, ...each] = mixtures(ownOf(principal).things, way, ownOf(principal).others);
        const outcome = welcome ? misplaced : unwelcome(principal);
        for (const things of each.length > 0 ? each : [all])
          if (things) await cell(method, way, principal, things, outcome);
      }
    }),
  );
}

/** All who may, one after the other; tells whether the first change was one. */
async function allowAll(method: DescMethodUnary, { callers, changes }: Expectation): Promise<void> {
  for (const way of Object.values(requests[nameOf(method)] ?? {}).filter(({ spent }) => !spent))
    for (const [index, principal] of callers.entries()) {
      const own = ownOf(principal);
      await way.before?.(own);
      const before = changes && index === 0 ? await world.databases.snapshot() : undefined;
      await cell(method, way, world.asker(principal, way.lastUse), own.things, "done");
      if (before !== undefined)
        expect(await world.databases.snapshot(), "a change is seen in the databases").not.toBe(before);
    }
}

test("every public method has an expectation and a request, and there are none without a method", () => {
  const names = methods.map(nameOf).toSorted();
  expect(new Set(names).size).toBe(names.length);
  expect(Object.keys(expectations).toSorted()).toEqual(names);
  expect(Object.keys(requests).toSorted()).toEqual(names);
  for (const [name, { namings }] of Object.entries(expectations))
    expect(Object.keys(requests[name] ?? {}).toSorted(), name).toEqual(Object.keys(namings).toSorted());
});

describe("every public method × every principal × own, foreign and absent things", () => {
  for (const method of methods)
    test(nameOf(method), async () => {
      const expectation = expectations[nameOf(method)];
      if (!expectation) throw new Error("the method has no expectation");
      const before = await world.databases.snapshot();
      await refuseAll(method, expectation);
      expect(await world.databases.snapshot(), "what is refused changes nothing").toBe(before);
      await allowAll(method, expectation);
    });
});

test("records of no vault are for the operator's vault alone", async () => {
  const ask = () => ({ scope: RecordScope.DEPLOYMENT });
  const way = { names: [], ask };
  const { listRecords } = AuditService.method;
  for (const principal of ["owner", "admin", "auditor"] as const)
    await cell(listRecords, way, principal, world.ours.things, "done");
  const refused = await cell(listRecords, way, "strangerOwner", world.theirs.things, "ROLE_REQUIRED");
  expect(refused.headers["content-type"]).toBe("application/json");
});
