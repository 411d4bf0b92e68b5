import type { Sallyport } from "@sallyport/client";
import {
  type Record as AuditRecord,
  RecordOrder,
} from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import type { RecordQuery } from "./filters.ts";

/** Records in the order of the log, and the position to continue after. */
export type Batch = { readonly records: readonly AuditRecord[]; readonly afterSeq: bigint };

const pageSize = 200;

/** The newest `count` records that pass the query, oldest first. */
export async function newest(client: Sallyport, query: RecordQuery, count: number): Promise<Batch> {
  // A page of none cannot be asked for.
  const page = await client.services.audit.listRecords({ ...query, pageSize: Math.max(count, 1) });
  return { records: page.records.slice(0, count).toReversed(), afterSeq: page.newestSeq };
}

/** A page of what came after, and whether more of it follows at once. */
export async function after(
  client: Sallyport,
  query: RecordQuery,
  afterSeq: bigint,
): Promise<Batch & { readonly more: boolean }> {
  const order = RecordOrder.OLDEST_FIRST;
  const page = await client.services.audit.listRecords({ ...query, order, afterSeq, pageSize });
  const last = page.records.at(-1)?.seq ?? afterSeq;
  const more = page.nextPageToken !== "";
  // The newest seq stands for what did not pass the filters too, but only once no page follows.
  return { records: page.records, afterSeq: more ? last : page.newestSeq, more };
}
