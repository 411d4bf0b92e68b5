import type { Database } from "@sallyport/postgres";

type Query = Pick<Database, "query">;

/** Above every seq. */
export const endlessSeq = 2n ** 63n - 1n;

/** A time from which on, and one before which; undefined where there is none. */
export type Times = { readonly after: Date | undefined; readonly before: Date | undefined };

/**
 * Between which seqs, both excluded, the records of the times lie; and the newest seq of a vault, 0
 * without any.
 */
export type Bounds = {
  readonly aboveSeq: bigint;
  readonly belowSeq: bigint;
  readonly newestSeq: bigint;
};

/**
 * Finds the bounds of a listing in one query: time goes with seq (LOG.md §2), so a span of time is
 * a span of seqs, and whatever else is asked for can go along seq.
 */
export async function findBounds(
  database: Query,
  vaultId: string,
  { after, before }: Times,
): Promise<Bounds> {
  const [row] = await database.query<{
    newest: bigint | null;
    first: bigint | null;
    last: bigint | null;
  }>(
    `select
  (select seq from records where vault_id = $1 order by seq desc limit 1) as newest,
  (select seq from records where recorded_at >= $2::timestamptz
    order by recorded_at, seq limit 1) as first,
  (select seq from records where recorded_at < $3::timestamptz
    order by recorded_at desc, seq desc limit 1) as last`,
    [vaultId, after?.toISOString() ?? null, before?.toISOString() ?? null],
  );
  return {
    aboveSeq: after === undefined ? 0n : (row?.first ?? endlessSeq) - 1n,
    belowSeq: before === undefined ? endlessSeq : (row?.last ?? 0n) + 1n,
    newestSeq: row?.newest ?? 0n,
  };
}

/** The greatest number of addresses of one network that are looked up one by one. */
export const mostAddresses = 250;

/**
 * Finds the addresses of a network from which a vault has records, jumping from one to the next in
 * the index; undefined when there are more than mostAddresses.
 */
export async function findAddresses(
  database: Query,
  vaultId: string,
  network: string,
): Promise<string[] | undefined> {
  const next = "select r.source from records r where r.vault_id = $1 and r.source <<= $2::inet";
  const rows = await database.query<{ source: string }>(
    `with recursive known (source) as (
  (${next} order by r.source limit 1)
  union all
  select (${next} and r.source > known.source order by r.source limit 1)
    from known where known.source is not null
)
select host(source) as source from known where source is not null limit $3`,
    [vaultId, network, mostAddresses + 1],
  );
  return rows.length > mostAddresses ? undefined : rows.map(({ source }) => source);
}
