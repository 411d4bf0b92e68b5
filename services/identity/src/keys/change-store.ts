import type { Tx } from "@sallyport/postgres";

/** A cursor in the changes: everything that was committed before it has been seen. */
export type Cursor = string;

/** A change of a principal's standing; the same one may be returned by several looks. */
export type KeyChange = { readonly changeId: bigint; readonly principalId: string };

const keptMinutes = 10;

/**
 * Tells every replica's streams, once the transaction commits, that the principals' credentials are
 * no longer good.
 */
export async function recordKeyChanges(tx: Tx, principalIds: readonly string[]): Promise<void> {
  if (principalIds.length === 0) return;
  await tx.query(`delete from key_changes where change_id in (
    select change_id from key_changes where changed_at < now() - interval '${keptMinutes} minutes'
       for update skip locked)`);
  await tx.query("insert into key_changes (principal_id) select unnest($1::text[])", [
    principalIds,
  ]);
}

/** The cursor from which a stream that begins now has to look. */
export async function currentCursor(db: Tx): Promise<Cursor> {
  const [row] = await db.query<{ cursor: Cursor }>(
    "select pg_snapshot_xmin(pg_current_snapshot())::text as cursor",
  );
  if (!row) throw new Error("the database has no snapshot");
  return row.cursor;
}

/**
 * The changes since the cursor, and the next cursor. Transactions still running now are seen by a
 * later look.
 */
export async function changesSince(
  db: Tx,
  cursor: Cursor,
): Promise<{ readonly changes: KeyChange[]; readonly cursor: Cursor }> {
  const rows = await db.query<{
    cursor: Cursor;
    change_id: bigint | null;
    principal_id: string | null;
  }>(
    `select pg_snapshot_xmin(pg_current_snapshot())::text as cursor, c.change_id, c.principal_id
       from (values (true)) as always left join key_changes c on c.xid >= $1::text::xid8
      order by c.change_id`,
    [cursor],
  );
  const changes = rows.flatMap(({ change_id, principal_id }) =>
    change_id === null || principal_id === null
      ? []
      : [{ changeId: change_id, principalId: principal_id }],
  );
  return { changes, cursor: rows[0]?.cursor ?? cursor };
}
