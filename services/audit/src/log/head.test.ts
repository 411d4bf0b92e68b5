import { ruleOf } from "@sallyport/proto/catalogue";
import {
  AppendStatus,
  type Event,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { describe, expect, test } from "vitest";
import { acceptEvent } from "./accept.ts";
import { createRecordBudget } from "./budget.ts";
import { type Known, sequenceBatch } from "./head.ts";
import { event, read } from "../testing/writer.ts";

const burst = 1_250; // Of one machine, when 10,000 are allowed in a day.
const token = `tok_${"1".repeat(20)}`;

/** A read of so many secrets by one attempt. */
function attempt(count: number, machineId = "mch_1"): Event[] {
  const attemptId = crypto.getRandomValues(new Uint8Array(16));
  const decisionId = newId("dec");
  const requestDigest = crypto.getRandomValues(new Uint8Array(32));
  const common = { machineId, originId: token, attemptId, decisionId, requestDigest };
  return Array.from({ length: count }, () => read({ ...common, secretId: newId("sec") }));
}

function log() {
  const budget = createRecordBudget(10_000, () => 0);
  const known: Known[] = [];
  return {
    known,
    append: (...events: Event[]) => {
      const batch = events.map((one) =>
        acceptEvent(one, ruleOf(one.action)?.emitters[0] ?? "audit"),
      );
      const head = { lastSeq: BigInt(known.length), recordedAtMs: 0, budget };
      const { results, records } = sequenceBatch(batch, known, head);
      known.push(...records.map(({ record, attemptId }) => ({ ...record, attemptId })));
      const count = (status: AppendStatus) => results.filter((one) => one.status === status).length;
      return {
        results,
        committed: count(AppendStatus.COMMITTED),
        limited: count(AppendStatus.LIMITED),
        actions: records.map(({ record }) => record.action),
      };
    },
  };
}

describe("what a machine may have recorded (LOG §7)", () => {
  test("a read is on record whole or not at all; the refusal says when there is room", () => {
    const { append, known } = log();
    expect(append(...attempt(burst - 25))).toMatchObject({ committed: burst - 25, limited: 0 });
    const refused = append(...attempt(100), ...attempt(25));
    expect(refused).toMatchObject({ committed: 25, limited: 100 });
    expect(refused.actions.filter((action) => action === "secret.read")).toHaveLength(25);
    const [first] = refused.results;
    expect(first).toMatchObject({ seq: 0n, refusal: { reason: Reason.RATE_LIMITED } });
    expect(first?.refusal?.retryAfter?.seconds).toBeGreaterThan(0n);
    // No gap, with the alarms.
    expect(known.map(({ seq }) => Number(seq))).toEqual(known.map((_, index) => index + 1));
  });

  test("the first refusal is in the log itself, once", () => {
    const { append } = log();
    append(...attempt(burst));
    const alarm = ["records.limit_reached"];
    expect(append(...attempt(1), ...attempt(1)).actions).toEqual(alarm);
    expect(append(...attempt(1)).actions).toEqual([]);
  });

  test("a repeat after a lost acknowledgement is told committed when nothing is left, and costs nothing", () => {
    const { append } = log();
    const first = attempt(burst - 1);
    append(...first);
    for (let time = 0; time < 5; time += 1)
      expect(append(...first)).toMatchObject({ committed: burst - 1, limited: 0, actions: [] });
    expect(append(...attempt(1))).toMatchObject({ committed: 1 });
    expect(append(...first, ...attempt(1))).toMatchObject({ committed: burst - 1, limited: 1 });
  });

  test("denials take from the same room", () => {
    const { append } = log();
    const denied = () =>
      event("policy", "secret.read.denied", { machineId: "mch_1", originId: token });
    append(...attempt(burst - 1));
    expect(append(denied(), denied())).toMatchObject({ committed: 1, limited: 1 });
  });

  test("what people and processes do is never limited, whatever machines did", () => {
    const { append } = log();
    append(...attempt(burst), ...attempt(burst, "mch_2"));
    expect(append(...attempt(1, "mch_3"))).toMatchObject({ limited: 1 });
    const revoked = event("identity", "machine.revoked", { machineId: "mch_1" });
    const enrolled = event("identity", "machine.enrolled", { machineId: "mch_4", originId: token });
    expect(append(revoked, enrolled)).toMatchObject({ committed: 2, limited: 0 });
  });

  test("enrollments take from the room of their token", () => {
    const { append } = log();
    const enrolled = () =>
      event("identity", "machine.enrolled", { machineId: newId("mch"), originId: token });
    append(...Array.from({ length: 2 * burst }, enrolled));
    expect(append(...attempt(1))).toMatchObject({ committed: 0, limited: 1 });
  });
});
