import {
  AppendStatus,
  type Event,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type Copied,
  type TestLog,
  append,
  createTestLog,
  event,
  read,
  upTo,
} from "../testing/writer.ts";
import type { Writer } from "./writer.ts";

const { COMMITTED, CONFLICT } = AppendStatus;

let log: TestLog;
beforeEach(async () => (log = await createTestLog()));
afterEach(() => log[Symbol.asyncDispose]());

const other = new Uint8Array(16).fill(2);
const otherRequest = new Uint8Array(32).fill(2);

/** Appends reads in one batch, or the first before the others; returns what became of each. */
async function appendAll(writer: Writer, reads: readonly Event[], together: boolean) {
  const batches = together ? [reads] : [reads.slice(0, 1), reads.slice(1)];
  const statuses: (readonly [AppendStatus, bigint])[] = [];
  for (const batch of batches)
    for (const { status, seq } of await append(writer, "crypto", ...batch))
      statuses.push([status, seq]);
  return statuses;
}

test("the same event is committed once and answers with its first seq", async () => {
  await using writer = await log.start();
  const made = event("secrets", "secret.created");
  await append(writer, "secrets", event("secrets", "project.created"), made);
  const results = await append(writer, "secrets", made, made, event("secrets", "secret.created"));
  expect(results.map(({ status, seq }) => [status, seq])).toEqual([
    [COMMITTED, 2n],
    [COMMITTED, 2n],
    [COMMITTED, 3n],
  ]);
  await append(writer, "secrets", event("secrets", "secret.created"));
  expect(await log.seqs()).toEqual([1, 2, 3, 4]);
});

/** What follows a first read, and what becomes of all of them. */
const replays = [
  {
    what: "a decision",
    rest: (first: Event) => [
      read(), // crypto's own retry under a new event id
      read({ attemptId: other, requestDigest: otherRequest }), // a replayed permit
      read({ requestDigest: otherRequest }),
      read({ eventId: first.eventId, requestDigest: otherRequest }),
      read({ attemptId: other, secretId: "sec_2" }),
      read({ attemptId: other, decisionId: "dec_2", requestDigest: otherRequest }),
    ],
    outcomes: [
      [COMMITTED, 1n],
      [COMMITTED, 1n],
      [CONFLICT, 0n],
      [CONFLICT, 0n],
      [CONFLICT, 0n],
      [COMMITTED, 2n],
      [COMMITTED, 3n],
    ],
  },
  {
    what: "a signed request, whatever was decided about it,",
    rest: () => [
      read(), // crypto's own retry under a new event id
      read({ decisionId: "dec_2", attemptId: other }), // policy was asked again
      read({ decisionId: "dec_3" }),
      read({ decisionId: "dec_2", attemptId: other, secretId: "sec_2" }),
      read({ decisionId: "dec_2", attemptId: other, requestDigest: otherRequest }),
    ],
    outcomes: [
      [COMMITTED, 1n],
      [COMMITTED, 1n],
      [CONFLICT, 0n],
      [CONFLICT, 0n],
      [COMMITTED, 2n],
      [COMMITTED, 3n],
    ],
  },
];

describe.each([
  { when: "in a later call", together: false },
  { when: "in one batch", together: true },
])("$when", ({ together }) => {
  test.each(replays)("$what opens a secret once", async ({ rest, outcomes }) => {
    await using writer = await log.start();
    const first = read();
    expect(await appendAll(writer, [first, ...rest(first)], together)).toEqual(outcomes);
    expect(await log.seqs()).toEqual([1, 2, 3]);
  });
});

test.each([
  ["decision", (index: number) => ({ requestDigest: new Uint8Array(32).fill(index) })],
  ["signed request", (index: number) => ({ decisionId: `dec_${index}` })],
])("of fifty replays of a %s at once one wins", async (_, differing) => {
  await using writer = await log.start();
  const attempts = upTo(50).map((index) =>
    read({ attemptId: new Uint8Array(16).fill(index), ...differing(index) }),
  );
  const results = await Promise.all(attempts.map((attempt) => append(writer, "crypto", attempt)));
  expect(results.flat().filter(({ status }) => status === COMMITTED)).toHaveLength(1);
  expect(await log.seqs()).toEqual([1]);
});

test("another kind of event cannot stand in for a read under its event id", async () => {
  await using writer = await log.start();
  const squatter = event("gateway", "request.rejected");
  await append(writer, "gateway", squatter);
  const [result] = await append(writer, "crypto", read({ eventId: squatter.eventId }));
  expect(result).toMatchObject({ status: CONFLICT, seq: 0n });
});

test("the database itself refuses a second read and a second use of an event id", async () => {
  await using writer = await log.start();
  await append(writer, "crypto", read());
  const copyRead = (changed: Copied) => log.copyRecord(2, newId("evt"), "secret.read", changed);
  await expect(copyRead({ requestDigest: Buffer.alloc(32) })).rejects.toThrow("records_read_once");
  await expect(copyRead({ decisionId: "dec_2" })).rejects.toThrow("records_request_read_once");
  await expect(copyRead({ decisionId: "dec_2", requestDigest: Buffer.alloc(31) })).rejects.toThrow(
    "records_read_has_request",
  );
  const [row] = await log.database.query<{ event_id: string }>("select event_id from records");
  await expect(log.copyRecord(2, row?.event_id ?? "", "other")).rejects.toThrow("records_event_id");
  await expect(log.copyRecord(1, newId("evt"), "other")).rejects.toThrow("records_pkey");
});
