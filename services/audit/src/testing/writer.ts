import { type Database, migrate, openDatabase } from "@sallyport/postgres";
import { type ActionOf, type Emitter, newEvent } from "@sallyport/proto/catalogue";
import type { Event } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { createLogger } from "@sallyport/telemetry";
import { createServiceDatabase } from "@sallyport/test/infra";
import { acceptEvent } from "../log/accept.ts";
import { createRecordBudget } from "../log/budget.ts";
import { type Writer, type WriterOptions, startWriter } from "../log/writer.ts";

const folder = new URL("../../migrations", import.meta.url);
const logger = createLogger({ service: "audit", level: "silent" });

/** The fields in which a copied record differs from the original. */
export type Copied = { readonly decisionId?: string; readonly requestDigest?: Buffer };

/** An empty log in a database of its own; `database` is its serving role's. */
export type TestLog = AsyncDisposable & {
  readonly database: Database;
  readonly urls: { readonly ownerUrl: string; readonly servingUrl: string };
  /**
   * Starts a writer on it; one that has to wait for another does so for two seconds unless told
   * otherwise.
   */
  start(options?: Partial<WriterOptions>): Promise<Writer>;
  /** The numbers of all records, in order. */
  seqs(): Promise<number[]>;
  /** Copies the first record past the writer, as the serving role could. */
  copyRecord(seq: number, eventId: string, action: string, changed?: Copied): Promise<object[]>;
};

/** Makes an empty log. */
export async function createTestLog(): Promise<TestLog> {
  const urls = await createServiceDatabase("audit");
  await migrate({ url: urls.ownerUrl, folder });
  const database = openDatabase({ url: urls.servingUrl, applicationName: "test" });
  return {
    database,
    urls,
    start: (options = {}) =>
      startWriter({
        url: urls.servingUrl,
        clock: Date.now,
        logger,
        budget: createRecordBudget(1_000_000_000, () => performance.now()),
        lockWaitMs: 2_000,
        ...options,
      }),
    async seqs() {
      const rows = await database.query<{ seq: number }>(
        "select seq::int from records order by seq",
      );
      return rows.map(({ seq }) => seq);
    },
    copyRecord: (seq, eventId, action, { decisionId, requestDigest } = {}) =>
      database.query(
        `insert into records
         select $1::bigint, $2, "time", recorded_at, emitter, $3, outcome, severity,
         actor_kind, actor_id, reason, vault_id, project_id, secret_id, secret_version, machine_id,
         subject_id, source_ip, coalesce($4::bytea, request_digest), coalesce($5, decision_id),
         policy_version, detail, attempt_id, canonical
         from records where seq = 1`,
        [seq, eventId, action, requestDigest ?? null, decisionId ?? null],
      ),
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]();
      await urls[Symbol.asyncDispose]();
    },
  };
}

/** An event of the catalogue, about a machine of one vault. */
export function event<E extends Emitter>(
  emitter: E,
  action: ActionOf<E>,
  fields: Partial<Event> = {},
): Event {
  const made = newEvent(emitter, action, { actorKind: ActorKind.MACHINE, vaultId: "vlt_1" });
  return Object.assign(made, fields);
}

/**
 * A read; two of them are the same read, of one decision, request and attempt, unless the fields
 * differ.
 */
export function read(fields: Partial<Event> = {}): Event {
  return event("crypto", "secret.read", {
    machineId: "mch_1",
    decisionId: "dec_1",
    secretId: "sec_1",
    requestDigest: new Uint8Array(32).fill(1),
    attemptId: new Uint8Array(16).fill(1),
    ...fields,
  });
}

/** Has a writer append events as their emitter's. */
export function append(
  writer: Writer,
  emitter: Emitter,
  ...events: Event[]
): ReturnType<Writer["append"]> {
  return writer.append(events.map((one) => acceptEvent(one, emitter)));
}

/** The numbers from one to so many. */
export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}
