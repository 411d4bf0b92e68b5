import type { Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import type { Event } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { createTally } from "@sallyport/audit-events";
import { createLogger } from "@sallyport/telemetry";
import { expect, test } from "vitest";
import { type Held, createHolderReports, holderRate } from "./holder-reports.ts";

const tx: Tx = { query: () => Promise.reject(new Error("nothing is asked")) };
const vaultId = newId("vlt");

function held(subjectId: string, step: string): Held {
  const about = { vaultId, subjectId, reason: "TOKEN_EXHAUSTED" };
  return {
    action: "token.refused",
    ...about,
    step,
    record: (count) =>
      newEvent("identity", "token.refused", {
        actorKind: ActorKind.UNKNOWN,
        ...about,
        detail: { ...count, step },
      }),
  };
}

/** Reports all of them at one time, and a minute later another. */
async function reported(all: readonly Held[], later: readonly Held[] = []) {
  let nowMs = 0;
  const own: Event[] = [];
  const counted: Event[] = [];
  {
    const logger = createLogger({ service: "identity", level: "silent" });
    await using tally = createTally(async (events) => void counted.push(...events), logger);
    const record = async (_: Tx, ...events: readonly Event[]) => void own.push(...events);
    const outbox = {
      record,
      note: (refusal: Parameters<typeof tally.note>[0]) => tally.note(refusal),
    };
    const holders = createHolderReports(outbox, () => nowMs);
    for (const one of all) await holders.report(tx, one);
    nowMs = 60_000;
    for (const one of later) await holders.report(tx, one);
  }
  return { own, counted };
}

const total = (events: readonly Event[]) =>
  events.reduce((sum, { detail }) => sum + Number(detail["count"]), 0);

test("the first of a token have records of their own; what follows is counted by its step", async () => {
  const tokenId = newId("tok");
  const steps = ["exhausted", "name"];
  const { own, counted } = await reported(
    Array.from({ length: 10_000 }, (_, n) => held(tokenId, steps[n % 2] ?? "")),
  );
  expect(own).toHaveLength(holderRate.burst);
  expect(own.every(({ detail }) => detail["count"] === undefined)).toBe(true);
  expect(counted).toHaveLength(4);
  expect(counted.every(({ subjectId }) => subjectId === tokenId)).toBe(true);
  expect(own.length + total(counted)).toBe(10_000);
});

test("a token has room again later, and another has its own", async () => {
  const [one, other] = [newId("tok"), newId("tok")];
  const many = (id: string) => Array.from({ length: 100 }, () => held(id, "name"));
  const { own } = await reported([...many(one), ...many(other)], many(one));
  const of = (id: string) => own.filter(({ subjectId }) => subjectId === id).length;
  expect([of(one), of(other)]).toEqual([holderRate.burst + 10, holderRate.burst]);
});

test("thousands of tokens are counted together by vault when they are too many", async () => {
  const tokens = Array.from({ length: 500 }, () => newId("tok"));
  const all = tokens.flatMap((id) => Array.from({ length: 25 }, () => held(id, "name")));
  const { own, counted } = await reported(all);
  expect(own).toHaveLength(tokens.length * holderRate.burst);
  expect(counted.length).toBeLessThanOrEqual(2 * 51);
  expect(total(counted)).toBe(tokens.length * 5);
});
