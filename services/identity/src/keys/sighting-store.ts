import type { Tx } from "@sallyport/postgres";

/** The last use of a key, as a gateway asserts it: time, address and program. */
export type Sighting = {
  readonly keyId: string;
  readonly seenAt: Date;
  readonly sourceIp: string;
  readonly client: string;
};

type SightingRow = { key_id: string; seen_at: Date; source_ip: string; client: string };

/**
 * Keeps sightings that are newer than what is kept, of keys that exist; one from the future counts
 * as of now. Rows are written in the order of their keys, so that two reports cannot wait for each
 * other.
 */
export async function storeSightings(
  db: Tx,
  sightings: readonly Sighting[],
  now: Date,
): Promise<void> {
  await db.query(
    `insert into sightings (key_id, seen_at, source_ip, client)
     select distinct on (key_id) key_id, least(seen_at, $5), source_ip, client
       from unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[])
         as s (key_id, seen_at, source_ip, client)
      where exists (select 1 from machines where machine_id = s.key_id)
         or exists (select 1 from user_keys where user_keys.key_id = s.key_id)
      order by key_id, seen_at desc
     on conflict (key_id) do update
        set seen_at = excluded.seen_at, source_ip = excluded.source_ip, client = excluded.client
      where sightings.seen_at < excluded.seen_at`,
    [
      sightings.map(({ keyId }) => keyId),
      sightings.map(({ seenAt }) => seenAt),
      sightings.map(({ sourceIp }) => sourceIp),
      sightings.map(({ client }) => client),
      now,
    ],
  );
}

/** The sightings of keys, by keyid; keys that were never used are not in it. */
export async function findSightings(
  db: Tx,
  keyIds: readonly string[],
): Promise<Map<string, Sighting>> {
  if (keyIds.length === 0) return new Map();
  const rows = await db.query<SightingRow>(
    "select key_id, seen_at, source_ip, client from sightings where key_id = any($1::text[])",
    [keyIds],
  );
  return new Map(rows.map((row) => [row.key_id, sightingOf(row)]));
}

function sightingOf(row: SightingRow): Sighting {
  return { keyId: row.key_id, seenAt: row.seen_at, sourceIp: row.source_ip, client: row.client };
}
