import type { AppendResult } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";
import { type Repeated, done, repeat } from "@sallyport/schedule";
import { type Logger, histogram, inSpan, observe } from "@sallyport/telemetry";
import type { Accepted } from "./accept.ts";
import type { RecordBudget } from "./budget.ts";
import { type Ledger, openLedger } from "./ledger.ts";
import { isRead, sequenceBatch } from "./head.ts";
import { createQueue } from "./queue.ts";
import { findKnown, insertRecords } from "../store/log.ts";

/** Options of a writer; times are in milliseconds. */
export type WriterOptions = {
  /** The database as the serving role. */
  readonly url: string;
  readonly clock: () => number;
  readonly logger: Pick<Logger, "info" | "warn" | "error">;
  /** The bound on the records that machines cause. */
  readonly budget: RecordBudget;
  /** The time to wait for an earlier writer to leave; ten seconds. */
  readonly lockWaitMs?: number;
  /** Most records that may wait; 10,000. */
  readonly capacity?: number;
};

/** The one writer of the log. Disposing lets what waits be written and gives up the lock. */
export type Writer = {
  /**
   * Resolves after the commit with a result for each event, in order. Throws Failure
   * DEPENDENCY_UNAVAILABLE when the log cannot take them now, or when it is unknown whether it did:
   * repeating the same events is safe then.
   */
  append(events: readonly Accepted[]): Promise<readonly AppendResult[]>;
  /** Resolves while records can be written; throws Failure DEPENDENCY_UNAVAILABLE otherwise. */
  ready(): Promise<void>;
} & AsyncDisposable;

const batchSizes = histogram("sallyport.audit.batch.size");
const commits = histogram("sallyport.audit.commit.duration");
const batchSize = 500;
const reopenMs = 250;

/**
 * Takes the log over. Rejects as openLedger does; once started, it reopens automatically after a
 * lost session.
 */
export async function startWriter(options: WriterOptions): Promise<Writer> {
  const { url, clock, logger, budget, lockWaitMs = 10_000, capacity = 10_000 } = options;
  let ledger: Ledger | undefined;
  let reopening: Repeated | undefined;

  function takeOver(opened: Ledger): void {
    ledger = opened;
    opened.session.onLost((error) => stepDown(opened, error));
    const { lastSeq, lastRecordedAtMs } = opened.end;
    logger.info({ last_seq: String(lastSeq) }, "writing the log");
    const behindMs = lastRecordedAtMs - clock();
    if (behindMs > 0)
      logger.warn(
        { behind_ms: behindMs },
        "the clock is behind the log, whose time stands still until then",
      );
  }

  // After any error it is unknown what was committed. Only a new session, which must first win the
  // lock, can tell.
  function stepDown(from: Ledger, error: unknown): void {
    if (ledger !== from) return;
    ledger = undefined;
    logger.error({ err: error }, "stepped down: nothing is recorded until the session is back");
    void close(from).catch(() => undefined);
    reopening = reopen();
  }

  function reopen(): Repeated {
    return repeat({
      async run(signal) {
        const opened = await openLedger({ url, lockWaitMs });
        if (signal.aborted) await close(opened);
        else takeOver(opened);
        return done;
      },
      everyMs: reopenMs,
      log: { logger, failed: "the log is still away", recovered: "the log is back" },
    });
  }

  async function write(batch: readonly Accepted[]): Promise<readonly AppendResult[]> {
    const current = ledger;
    if (current === undefined) throw fail(Reason.DEPENDENCY_UNAVAILABLE);
    try {
      return await measured(batch.length, () => commitBatch(current, batch, clock(), budget));
    } catch (error) {
      stepDown(current, error);
      throw fail(Reason.DEPENDENCY_UNAVAILABLE, {}, error);
    }
  }

  const queue = createQueue({ write, capacity, batchSize });
  using stack = new DisposableStack();
  stack.use(observe("sallyport.audit.queue.length", () => [{ value: queue.size(), labels: {} }]));
  stack.use(observe("sallyport.audit.queue.max", () => [{ value: capacity, labels: {} }]));
  takeOver(await openLedger({ url, lockWaitMs }));
  const observed = stack.move();
  return {
    append: (events) => queue.add(events),
    async ready() {
      if (ledger === undefined) throw fail(Reason.DEPENDENCY_UNAVAILABLE);
    },
    async [Symbol.asyncDispose]() {
      await queue.idle();
      observed.dispose();
      await reopening?.[Symbol.asyncDispose]();
      const last = ledger;
      ledger = undefined;
      if (last) await close(last);
    },
  };
}

async function measured<T>(size: number, commit: () => Promise<T>): Promise<T> {
  batchSizes(size, {});
  const begunMs = performance.now();
  let outcome = "failed";
  try {
    const attributes = { "sallyport.batch.size": size };
    const result = await inSpan({ name: "commit batch", kind: "internal", attributes }, commit);
    outcome = "committed";
    return result;
  } finally {
    commits((performance.now() - begunMs) / 1000, { outcome });
  }
}

// The insert is one statement, so it is its own transaction; nobody else writes between look-up and
// insert.
async function commitBatch(
  ledger: Ledger,
  batch: readonly Accepted[],
  nowMs: number,
  budget: RecordBudget,
): Promise<readonly AppendResult[]> {
  const events = batch.map(({ event }) => event);
  const { lastSeq, lastRecordedAtMs } = ledger.end;
  // A clock that was set back is not followed: that time goes with seq is what lists by time build
  // on (LOG.md §2).
  const recordedAtMs = Math.max(nowMs, lastRecordedAtMs);
  const known = await findKnown(ledger.session, events, events.filter(isRead));
  const { results, records } = sequenceBatch(batch, known, { lastSeq, recordedAtMs, budget });
  if (records.length === 0) return results;
  await insertRecords(ledger.session, records);
  ledger.end = { lastSeq: lastSeq + BigInt(records.length), lastRecordedAtMs: recordedAtMs };
  return results;
}

async function close({ session }: Ledger): Promise<void> {
  await session[Symbol.asyncDispose]();
}
