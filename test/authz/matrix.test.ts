import type { DescMethodUnary } from "@bufbuild/protobuf";
import { AuditService, RecordScope } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, comparable } from "./matrix/call.ts";
import {
  type Expectation,
  type Outcome,
  type Principal,
  codes,
  expectations,
  isHidden,
  met,
  principals,
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

const ownOf = (principal: Principal): Vault =>
  principal.startsWith("stranger") ? world.theirs : world.ours;
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

type Mixture = { readonly things: Things; readonly replaced: readonly (keyof Things)[] };

/**
 * The own things with some of another's in their place: all that the request names, and each alone.
 */
function* mixtures(own: Things, { names }: Way, other: Partial<Things>): Generator<Mixture> {
  const places = names.filter((name) => name in other);
  const groups = places.length > 1 ? [places, ...places.map((name) => [name])] : [places];
  for (const replaced of groups)
    yield {
      things: { ...own, ...Object.fromEntries(replaced.map((name) => [name, other[name]])) },
      replaced,
    };
}

/** One method, and one way of asking it, by one principal. */
type Case = {
  readonly method: DescMethodUnary;
  readonly expectation: Expectation;
  readonly label: string;
  readonly way: Way;
  readonly principal: Principal;
};

/** What an answer says, without the names that were asked for. */
async function told(
  { method, way }: Case,
  asker: Asker,
  things: Things,
  outcome: Outcome,
): Promise<string> {
  const answer = await cell(method, way, asker, things, outcome);
  return comparable(
    method,
    answer,
    way.names.flatMap((name) => textsOf(things[name])),
  );
}

/**
 * What is another vault's, or hidden from the principal, is answered, byte for byte, as what is
 * nowhere.
 */
async function compareForeign(one: Case) {
  const { expectation, label, way, principal } = one;
  const own = ownOf(principal).things;
  const nowhere = [...mixtures(own, way, absentThings())];
  const foreign = [...mixtures(own, way, foreignOf(principal).things)];
  const asker = world.asker(principal);
  for (const [index, { things, replaced }] of foreign.entries()) {
    const absent = nowhere[index];
    if (!absent) throw new Error("as many of one as of the other");
    const outcome = met(expectation, principal, label, "foreign", replaced);
    const want = await told(one, asker, absent.things, outcome);
    expect(await told(one, asker, things, outcome), `${principal}, ${way.names.join()}`).toBe(want);
    if (index === 0 && isHidden(expectation, principal, label))
      expect(await told(one, asker, own, outcome), `hidden from ${principal}`).toBe(want);
  }
}

function textsOf(thing: Things[keyof Things]): string[] {
  return typeof thing === "string" ? [thing] : [thing.id];
}

/** What lies in another project of the vault, or belongs to another machine. */
async function tryMisplaced({ method, expectation, label, way, principal }: Case): Promise<void> {
  const [all, ...each] = mixtures(ownOf(principal).things, way, ownOf(principal).others);
  for (const mixture of each.length > 0 ? each : [all])
    if (mixture) {
      const outcome = met(expectation, principal, label, "misplaced", mixture.replaced);
      await cell(method, way, principal, mixture.things, outcome);
    }
}

/** All who should be refused, and all things that should not be found, by everybody at once. */
async function refuseAll(method: DescMethodUnary, expectation: Expectation): Promise<void> {
  const ways = requests[nameOf(method)] ?? {};
  await Promise.all(
    principals.map(async (principal) => {
      for (const [label, way] of Object.entries(ways)) {
        const one = { method, expectation, label, way, principal };
        const own = met(expectation, principal, label, "own", []);
        if (!expectation.callers.includes(principal))
          await cell(method, way, principal, ownOf(principal).things, own);
        if (way.names.length > 0) await compareForeign(one);
        if (expectation.namings[label]?.misplaced) await tryMisplaced(one);
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
        expect(await world.databases.snapshot(), "a change is seen in the databases").not.toBe(
          before,
        );
    }
}

test("every public method has an expectation and a request, and there are none without a method", () => {
  const names = methods.map(nameOf).toSorted();
  expect(new Set(names).size).toBe(names.length);
  expect(Object.keys(expectations).toSorted()).toEqual(names);
  expect(Object.keys(requests).toSorted()).toEqual(names);
  for (const [name, { namings }] of Object.entries(expectations))
    expect(Object.keys(requests[name] ?? {}).toSorted(), name).toEqual(
      Object.keys(namings).toSorted(),
    );
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

test("a project that is hidden from a developer is in no list", async () => {
  const way = { names: [], ask: () => ({}) };
  const { listProjects } = ProjectService.method;
  const { projectId, projectName, emptyId } = world.ours.things;
  const listed = async (principal: Principal) =>
    (await cell(listProjects, way, principal, world.ours.things, "done")).body.toString("latin1");
  for (const name of [projectId, projectName]) expect(await listed("developer")).toContain(name);
  for (const name of [projectId, projectName, emptyId])
    expect(await listed("developerNone")).not.toContain(name);
});

test("records of no vault are for the operator's vault alone", async () => {
  const ask = () => ({ scope: RecordScope.DEPLOYMENT });
  const way = { names: [], ask };
  const { listRecords } = AuditService.method;
  for (const principal of ["owner", "admin", "auditor"] as const)
    await cell(listRecords, way, principal, world.ours.things, "done");
  const refused = await cell(
    listRecords,
    way,
    "strangerOwner",
    world.theirs.things,
    "ROLE_REQUIRED",
  );
  expect(refused.headers["content-type"]).toBe("application/json");
});
