import { create } from "@bufbuild/protobuf";
import { EventSchema } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { Severity } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { beforeEach, describe, expect, test } from "vitest";
import { type RecordBudget, createRecordBudget } from "./budget.ts";

const perDay = 40_000; // 10,000 at once by a token, 5,000 by a machine.
const daySeconds = 86_400;
const token = `tok_${"1".repeat(20)}`;
let nowMs: number;
let budget: RecordBudget;

beforeEach(() => {
  nowMs = 5_000;
  budget = createRecordBudget(perDay, () => nowMs);
});

const of = (machineId: string, originId = token) =>
  create(EventSchema, { machineId, originId, vaultId: "vlt_1" });
const told = (machineId: string, count: number, originId = token) =>
  budget.take(of(machineId, originId), count).alarms.map(({ event, severity }) => ({
    severity,
    told: [event.action, event.detail["limited"], event.subjectId, event.machineId],
  }));

/** Takes a hundred at a time, every so often for a day, by as many machines. */
function takenInADay(machines: number, originId = token): number {
  let taken = 0;
  for (let second = 0; second < daySeconds; second += 10) {
    for (let machine = 0; machine < machines; machine += 1)
      if (budget.take(of(`mch_${machine}`, originId), 100).waitMs === 0) taken += 100;
    nowMs += 10_000;
  }
  return taken;
}

describe("in a day", () => {
  test("one machine has at most half of its token's records", () => {
    const taken = takenInADay(1);
    expect(taken).toBeLessThanOrEqual(perDay / 2);
    expect(taken).toBeGreaterThan(perDay / 2 - 200);
  });

  test("all machines of a token together have at most its records, however many they are", () => {
    const taken = takenInADay(50);
    expect(taken).toBeLessThanOrEqual(perDay);
    expect(taken).toBeGreaterThan(perDay - 200);
  });

  test("a machine of which no token is known is bounded by itself", () => {
    expect(takenInADay(1, "")).toBeLessThanOrEqual(perDay / 2);
  });

  test("what is written in any case leaves so much less to what can be refused", () => {
    for (let count = 0; count < perDay / 2; count += 1) budget.charge(of(`mch_${count}`));
    expect(takenInADay(50)).toBeLessThanOrEqual(perDay / 2);
  });
});

describe("one after another", () => {
  test("a burst is taken at once; then it is refused with the time until there is room, and takes nothing", () => {
    expect(budget.take(of("mch_a"), 5_000).waitMs).toBe(0);
    const { waitMs } = budget.take(of("mch_a"), 100);
    expect(waitMs).toBeGreaterThan(0);
    nowMs += waitMs - 1;
    expect(budget.take(of("mch_a"), 100).waitMs).toBe(1);
    nowMs += 1;
    expect(budget.take(of("mch_a"), 100).waitMs).toBe(0);
  });

  test("a machine that spent its own leaves the others of its token theirs", () => {
    budget.take(of("mch_a"), 5_000);
    expect(budget.take(of("mch_a"), 1).waitMs).toBeGreaterThan(0);
    expect(budget.take(of("mch_b"), 5_000).waitMs).toBe(0);
    expect(budget.take(of("mch_c"), 1).waitMs).toBeGreaterThan(0);
    expect(budget.take(of("mch_d", `tok_${"2".repeat(20)}`), 100).waitMs).toBe(0);
  });
});

describe("what is told", () => {
  test("half of a burst is a notice, its end is critical, each once an hour", () => {
    expect(told("mch_a", 2_499)).toEqual([]);
    expect(told("mch_a", 1)).toEqual([
      {
        severity: Severity.NOTICE,
        told: ["records.limit_near", "machine", "mch_a", "mch_a"],
      },
    ]);
    expect(told("mch_a", 1)).toEqual([]);
    const refused = { severity: Severity.CRITICAL };
    expect(told("mch_a", 4_000)).toEqual([
      { ...refused, told: ["records.limit_reached", "machine", "mch_a", "mch_a"] },
    ]);
    for (let count = 0; count < 100; count += 1) expect(told("mch_a", 4_000)).toEqual([]);
    nowMs += 3_600_000;
    expect(told("mch_a", 5_000)).toHaveLength(1);
  });

  test("of a token it tells the token, by whichever machine it was spent", () => {
    budget.take(of("mch_a"), 4_000);
    expect(told("mch_b", 4_000).map((one) => one.told)).toEqual([
      ["records.limit_near", "machine", "mch_b", "mch_b"],
      ["records.limit_near", "token", token, "mch_b"],
    ]);
    expect(told("mch_c", 4_000).map((one) => one.told)).toEqual([
      ["records.limit_reached", "token", token, "mch_c"],
    ]);
  });
});
