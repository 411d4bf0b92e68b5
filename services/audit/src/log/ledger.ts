import { setTimeout as sleep } from "node:timers/promises";
import { type Session, openSession } from "@sallyport/postgres";
import { type End, durabilityOf, endOf, keepToIndexes, tryWriterLock } from "../store/log.ts";

/** The session of the one writer, and where the log ends. */
export type Ledger = { readonly session: Session; end: End };

/**
 * The URL of the log's database, and how long to wait for another writer's lock, in milliseconds.
 */
export type LedgerOptions = { readonly url: string; readonly lockWaitMs: number };

const lockPollMs = 100;

/**
 * Opens the session that alone may write, and reads where the log ends. Rejects with one clear
 * sentence when commits are not durable or another writer keeps the lock, and with Failure
 * DEPENDENCY_UNAVAILABLE when the database is away.
 */
export async function openLedger({ url, lockWaitMs }: LedgerOptions): Promise<Ledger> {
  const session = await openSession({ url, applicationName: "sallyport-audit-writer" });
  try {
    if ((await durabilityOf(session)) === "off")
      throw new Error(
        "synchronous_commit is off for the audit database: an acknowledged record could be lost; " +
          "switch it on",
      );
    await keepToIndexes(session);
    await takeLock(session, lockWaitMs);
    // After the lock: it is held until the backend of an earlier writer has ended, so whatever that
    // one committed, even without telling, is visible now.
    return { session, end: await endOf(session) };
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
}

async function takeLock(session: Session, waitMs: number): Promise<void> {
  const deadlineMs = performance.now() + waitMs;
  while (!(await tryWriterLock(session))) {
    if (performance.now() >= deadlineMs)
      throw new Error("another process is writing this audit log: only one may, stop it first");
    await sleep(lockPollMs);
  }
}
