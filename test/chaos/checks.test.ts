import { describe, expect, test } from "vitest";
import { checks } from "./checks.ts";
import {
  type Answer,
  type EndState,
  type History,
  type Received,
  createHistory,
} from "./history.ts";
import { isBack, lateRecoveries, recoveryOf } from "./recovery.ts";

const received: Received = { secretId: "sec_a", version: 2, value: "v2" };
const times = { startedMs: 10, endedMs: 20 };
const done = <T>(value: T): Answer<T> => ({ kind: "done", value });
const refused = (reason: string, retryAfterMs?: number): Answer<never> => ({
  kind: "refused",
  reason,
  retryAfterMs,
});
const row = (seq: number, action: string, fields: Partial<EndState["log"][number]>) => ({
  seq,
  eventId: `evt_${seq}`,
  action,
  digest: "",
  secretId: "",
  version: 0,
  machineId: "",
  ...fields,
});

/** A small history in which every claim holds. */
function good(): { history: History; end: EndState } {
  const history = createHistory();
  history.writes.push({ ...times, ...received, digest: "w2", answer: done(null) });
  history.writes.push({
    ...times,
    ...received,
    version: 3,
    value: "lost",
    digest: "w3",
    answer: unanswered,
  });
  history.reads.push({ ...times, machineId: "mch_a", digest: "r1", answer: done([received]) });
  history.reads.push({
    ...times,
    machineId: "mch_a",
    digest: "r2",
    answer: refused("DEPENDENCY_UNAVAILABLE", 1000),
  });
  history.enrollments.push({
    ...times,
    tokenId: "tok_a",
    key: "k1",
    answer: done({ machineId: "mch_a" }),
  });
  history.enrollments.push({
    ...times,
    tokenId: "tok_a",
    key: "k2",
    answer: refused("TOKEN_EXHAUSTED"),
  });
  history.replays.push({ ...times, of: "read", digest: "r1", answer: refused("REQUEST_REJECTED") });
  const log = [
    row(1, "machine.enrolled", { machineId: "mch_a" }),
    row(2, "secret.version.added", { digest: "w2", secretId: "sec_a", version: 2 }),
    row(3, "secret.read", { digest: "r1", secretId: "sec_a", version: 2, machineId: "mch_a" }),
  ];
  const tokens = [{ tokenId: "tok_a", uses: 1, maxUses: 1 }];
  const machines = [{ machineId: "mch_a", tokenId: "tok_a", key: "k1", active: true }];
  return {
    history,
    end: { log, tokens, machines, versions: [received], undelivered: { identity: 0 } },
  };
}

const unanswered: Answer<never> = { kind: "unanswered", cause: "ECONNRESET" };

test.each(Object.entries(checks))("in a good history %s", (_, check) => {
  const { history, end } = good();
  expect(check(history, end)).toEqual([]);
});

const machine = { machineId: "mch_b", tokenId: "tok_a", key: "k2", active: true };

describe("a bad history is found", () => {
  test.each<
    [
      claim: string,
      what: string,
      spoil: (parts: { history: History; end: EndState }) => EndState | void,
    ]
  >([
    [
      "values received are on record",
      "a read whose record is of another request",
      ({ end }) => ({ ...end, log: end.log.map((line) => ({ ...line, digest: "other" })) }),
    ],
    [
      "values received are on record",
      "a read whose record is of another version",
      ({ end }) => ({ ...end, log: end.log.map((line) => ({ ...line, version: 9 })) }),
    ],
    [
      "values received were written",
      "a value of another version",
      ({ history }) =>
        void history.reads.push({
          ...times,
          machineId: "mch_a",
          digest: "r1",
          answer: done([{ ...received, value: "v1" }]),
        }),
    ],
    [
      "the log has no gap and no duplicate",
      "a gap",
      ({ end }) => ({ ...end, log: end.log.filter(({ seq }) => seq !== 2) }),
    ],
    [
      "the log has no gap and no duplicate",
      "a log that lost its beginning",
      ({ end }) => ({ ...end, log: end.log.slice(1) }),
    ],
    [
      "the log has no gap and no duplicate",
      "an event in two places",
      ({ end }) => ({ ...end, log: [...end.log, row(4, "secret.created", { eventId: "evt_3" })] }),
    ],
    [
      "no request is accepted twice",
      "a replay that was accepted",
      ({ history }) =>
        void history.replays.push({ ...times, of: "read", digest: "r1", answer: done(null) }),
    ],
    [
      "no request is accepted twice",
      "a change that was recorded twice, though nobody was told",
      ({ end }) => ({
        ...end,
        log: [
          ...end.log,
          row(4, "secret.version.added", { digest: "w2", secretId: "sec_a", version: 3 }),
        ],
      }),
    ],
    [
      "no token is used beyond its count",
      "two machines of a token for one",
      ({ end }) => ({
        ...end,
        tokens: [{ tokenId: "tok_a", uses: 2, maxUses: 1 }],
        machines: [...end.machines, machine],
      }),
    ],
    [
      "no token is used beyond its count",
      "a machine that was not counted",
      ({ end }) => ({
        ...end,
        tokens: [{ tokenId: "tok_a", uses: 1, maxUses: 2 }],
        machines: [...end.machines, machine],
      }),
    ],
    [
      "no token is used beyond its count",
      "a use without a machine",
      ({ end }) => ({ ...end, tokens: [{ tokenId: "tok_a", uses: 2, maxUses: 2 }] }),
    ],
    [
      "no token is used beyond its count",
      "a machine that was promised and is not there",
      ({ history }) =>
        void history.enrollments.push({
          ...times,
          tokenId: "tok_a",
          key: "k3",
          answer: done({ machineId: "mch_c" }),
        }),
    ],
    [
      "no acknowledged write is lost",
      "an acknowledged version that is gone",
      ({ end }) => ({ ...end, versions: [] }),
    ],
    [
      "no acknowledged write is lost",
      "an acknowledged version with another value",
      ({ end }) => ({ ...end, versions: [{ ...received, value: "other" }] }),
    ],
    [
      "no acknowledged write is lost",
      "one version acknowledged to two writers",
      ({ history }) =>
        void history.writes.push({
          ...times,
          ...received,
          value: "mine",
          digest: "w4",
          answer: done(null),
        }),
    ],
    [
      "no acknowledged write is lost",
      "a version without a record",
      ({ end }) => ({ ...end, versions: [...end.versions, { ...received, version: 3 }] }),
    ],
    [
      "no change is without its record",
      "an event that the log never took",
      ({ end }) => ({ ...end, undelivered: { identity: 1 } }),
    ],
    [
      "no change is without its record",
      "a machine that nobody recorded",
      ({ end }) => ({ ...end, log: end.log.slice(1) }),
    ],
    [
      "every refusal is public",
      "a reason of our own processes",
      ({ history }) =>
        void history.reads.push({
          ...times,
          machineId: "mch_a",
          digest: "r3",
          answer: refused("EVIDENCE_INVALID"),
        }),
    ],
    [
      "every refusal is public",
      "a fault that is told as a verdict",
      ({ history }) =>
        void history.reads.push({
          ...times,
          machineId: "mch_a",
          digest: "r3",
          answer: refused("NOT_GRANTED"),
        }),
    ],
    [
      "every refusal is public",
      "a failure of ours, long after the clocks were right again",
      ({ history }) => {
        history.wrongClocks.push({ name: "set", beganMs: -3000, endedMs: -2000 });
        history.reads.push({
          ...times,
          machineId: "mch_a",
          digest: "r3",
          answer: refused("INTERNAL"),
        });
      },
    ],
    [
      "every refusal is public",
      "unavailable without a delay",
      ({ history }) =>
        void history.replays.push({
          ...times,
          of: "read",
          digest: "r1",
          answer: refused("DEPENDENCY_UNAVAILABLE"),
        }),
    ],
  ])("%s: %s", (claim, _, spoil) => {
    const parts = good();
    const end = spoil(parts) ?? parts.end;
    expect(checks[claim]?.(parts.history, end).length).toBeGreaterThan(0);
  });

  test("every check is put to the test", () => {
    expect(Object.keys(checks)).toHaveLength(8);
  });
});

describe("recovery", () => {
  const fault = { name: "kill audit", beganMs: 100, endedMs: 100 };
  const readAt = (
    startedMs: number,
    endedMs: number,
    answer: Answer<readonly Received[]>,
  ): History => {
    const history = createHistory();
    history.reads.push({ startedMs, endedMs, machineId: "mch_a", digest: "r", answer });
    return history;
  };
  test.each([
    ["a read that is served", readAt(200, 300, done([])), 200],
    ["a read from before the end", readAt(99, 300, done([])), undefined],
    ["a read that is refused", readAt(200, 300, refused("DEPENDENCY_UNAVAILABLE", 1)), undefined],
    ["a read that comes too late", readAt(200, 10_101, done([])), 10_001],
  ])("%s", (_, history, backMs) => {
    const recovery = recoveryOf(history, fault);
    expect(recovery.backMs.read).toBe(backMs);
    expect(isBack(recovery)).toBe(false);
    const late = lateRecoveries([{ ...recovery, load: 0 }]).filter((sentence) =>
      sentence.includes("read"),
    );
    expect(late).toHaveLength(backMs === 200 ? 0 : 1);
    const whileBusy = lateRecoveries([{ ...recovery, load: 1000 }]).filter((sentence) =>
      sentence.includes("read"),
    );
    expect(whileBusy).toHaveLength(backMs === undefined ? 1 : 0);
  });
});
