import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Process, System } from "@sallyport/deploy/local";
import { openDatabase } from "../system/databases.ts";

/** A record, as far as attacks leave traces in it. */
export type Entry = {
  readonly emitter: string;
  readonly action: string;
  readonly reason: string;
  readonly actor_id: string;
  readonly machine_id: string;
  readonly secret_id: string;
  /** Id and reason of each secret that a decision refused, when they are several. */
  readonly refused: readonly (readonly [secretId: string, reason: string])[] | null;
  readonly detail: Readonly<Record<string, string>>;
};

/**
 * What audit and the processes' own logs say, read behind their backs: no attack can dress it up.
 */
export type Ledger = AsyncDisposable & {
  /** What is on record about one signed request, in order. */
  of(requestDigest: Uint8Array): Promise<Entry[]>;
  /** The records of these actions after a place in the log. */
  since(seq: number, ...actions: readonly string[]): Promise<Entry[]>;
  /** The place of the newest record. */
  end(): Promise<number>;
  /**
   * The errors that a process logged for a call, each with its causes; waits until there is one.
   */
  refusalsOf(process: Process, requestId: string): Promise<string>;
};

const columns = "emitter, action, reason, actor_id, machine_id, secret_id, refused, detail";
const patienceMs = 3_000;

/** Opens the log with the role that owns its database. */
export async function openLedger(system: System): Promise<Ledger> {
  const client = await openDatabase(system, "audit");
  const rows = async (condition: string, values: unknown[]): Promise<Entry[]> =>
    (
      await client.query<Entry>(
        `select ${columns} from records where ${condition} order by seq`,
        values,
      )
    ).rows;
  return {
    of: (digest) => rows("request_digest = $1", [Buffer.from(digest)]),
    since: (seq, ...actions) => rows("seq > $1 and action = any($2::text[])", [seq, [...actions]]),
    async end() {
      const found = await client.query<{ end: string }>(
        "select coalesce(max(seq), 0) as end from records",
      );
      return Number(found.rows[0]?.end);
    },
    async refusalsOf(process, requestId) {
      const file = join(system.layout.logs, `${process}.log`);
      for (const endMs = Date.now() + patienceMs; ; await sleep(20)) {
        const lines = readFileSync(file, "utf8").split("\n");
        const said = lines.filter((line) => line.includes(requestId)).flatMap(errorsIn);
        if (said.length > 0 || Date.now() > endMs) return said.join("; ");
      }
    },
    [Symbol.asyncDispose]: () => client.end(),
  };
}

type LoggedError = { readonly message: string; readonly cause?: LoggedError };

function errorsIn(line: string): string[] {
  const { err } = JSON.parse(line) as { readonly err?: LoggedError };
  const messages: string[] = [];
  for (let error = err; error; error = error.cause) messages.push(error.message);
  return messages;
}
