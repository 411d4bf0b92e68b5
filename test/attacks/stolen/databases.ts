import { describe, expect, test } from "vitest";
import type { Client } from "pg";
import { databaseOwners } from "@sallyport/deploy/local";
import { openDatabase, tablesOf } from "../../system/databases.ts";
import type { Field } from "../field.ts";
import { foundIn, readAs, secretBytes } from "./alone.ts";

/** Every cell of every table: byte strings as they are, the rest as text. */
async function dump(client: Client): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (const table of await tablesOf(client)) {
    const { rows } = await client.query<Record<string, unknown>>(`select * from ${table}`);
    for (const cell of rows.flatMap((row) => Object.values(row)))
      parts.push(Buffer.isBuffer(cell) ? cell : Buffer.from(JSON.stringify(cell) ?? ""));
  }
  return Buffer.concat(parts);
}

/** The code of the error by which a statement is refused; "done" when it is not. */
async function refusalOf(
  client: Client,
  statement: string,
  values: unknown[] = [],
): Promise<string> {
  try {
    await client.query("begin");
    await client.query(statement, values);
    return "done";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  } finally {
    await client.query("rollback");
  }
}

const notAllowed = "42501";

/** Each database alone, in full and by its serving role. */
export function describeDatabases(field: () => Field): void {
  describe("a database, read to the last cell", () => {
    test.each(databaseOwners)(
      "%s: no value, no seed of a machine or user, no token",
      async (owner) => {
        await using client = await openDatabase(field().system, owner, "owner");
        const bytes = await dump(client);
        expect(bytes.length).toBeGreaterThan(1000);
        expect(foundIn(bytes, secretBytes(field()))).toEqual([]);
        // What it gives: that the search finds what is there.
        expect(bytes.includes(field().machine.vaultId)).toBe(true);
      },
    );

    test("the roles of one database do not open another", async () => {
      for (const owner of databaseOwners) {
        for (const role of ["serving", "owner"] as const) {
          await using client = await openDatabase(field().system, owner, role);
          const { rows } = await client.query<{ open: string[] }>(
            `select array_agg(datname::text) as open from pg_database
              where datname like 'sallyport%' and has_database_privilege(datname, 'connect')`,
          );
          expect(rows[0]?.open, `${owner} ${role}`).toEqual([`sallyport_${owner}`]);
        }
      }
    });
  });

  describe("the database of secrets, written to", () => {
    const ofDbUrl = () => field().ids["DB_URL"] ?? "";
    const ofApiKey = () => field().ids["API_KEY"] ?? "";

    test("an envelope put in another secret's place is not opened, by its owner's hand even", async () => {
      await using client = await openDatabase(field().system, "secrets", "owner");
      const { rows } = await client.query<{ envelope: Buffer }>(
        "select envelope from versions where secret_id = $1 and version = 1",
        [ofApiKey()],
      );
      const kept = rows[0]?.envelope;
      const put = (envelope: unknown) =>
        client.query("update versions set envelope = $1 where secret_id = $2 and version = 1", [
          envelope,
          ofApiKey(),
        ]);
      const other = await client.query<{ envelope: Buffer }>(
        "select envelope from versions where secret_id = $1 and version = 2",
        [ofDbUrl()],
      );
      const begin = await field().ledger.end();
      await put(other.rows[0]?.envelope);
      expect(await readAs(field().machine, [ofApiKey()])).toBe("INTERNAL");
      await put(kept);
      expect(await readAs(field().machine, [ofApiKey()])).toEqual({ API_KEY: "canary-of-api-key" });
      // Recorded before it was opened, both times: a record may stand for a read that gave nothing.
      expect(await field().ledger.since(begin, "secret.read")).toHaveLength(2);
    });

    test("a former version moved to the newest place is not opened", async () => {
      await using client = await openDatabase(field().system, "secrets", "owner");
      const move = (from: number) =>
        client.query(
          `update versions set envelope = (select envelope from versions where secret_id = $1 and version = $2)
            where secret_id = $1 and version = 2`,
          [ofDbUrl(), from],
        );
      const kept = await client.query<{ envelope: Buffer }>(
        "select envelope from versions where secret_id = $1 and version = 2",
        [ofDbUrl()],
      );
      await move(1);
      expect(await readAs(field().machine, [ofDbUrl()])).toBe("INTERNAL");
      await client.query("update versions set envelope = $2 where secret_id = $1 and version = 2", [
        ofDbUrl(),
        kept.rows[0]?.envelope,
      ]);
      expect(await readAs(field().machine, [ofDbUrl()])).toEqual({
        DB_URL: "canary-of-db-url-new",
      });
    });

    test("what it gives: a former version declared the current one, to whom it is granted", async () => {
      await using client = await openDatabase(field().system, "secrets", "serving");
      const declare = (version: number) =>
        client.query("update secrets set current_version = $2 where secret_id = $1", [
          ofDbUrl(),
          version,
        ]);
      const begin = await field().ledger.end();
      await declare(1);
      expect(await readAs(field().machine, [ofDbUrl()])).toEqual({
        DB_URL: "canary-of-db-url-old",
      });
      await declare(2);
      expect(await readAs(field().machine, [ofDbUrl()])).toEqual({
        DB_URL: "canary-of-db-url-new",
      });
      expect(await field().ledger.since(begin, "secret.version.added")).toEqual([]);
    });

    test("its serving role cannot change what is stored, only add to it and hide it", async () => {
      await using client = await openDatabase(field().system, "secrets", "serving");
      for (const statement of [
        "update versions set envelope = ''",
        "delete from versions",
        "update secrets set name = 'X'",
        "update project_keys set wrapped_key = ''",
        "truncate versions",
        "drop table versions",
      ])
        expect(await refusalOf(client, statement), statement).toBe(notAllowed);
      expect(
        await refusalOf(client, "update secrets set deleted_at = now(), deleted_by = 'x'"),
      ).toBe("done");
    });
  });

  describe("the log's database, written to", () => {
    test("its serving role changes and deletes nothing", async () => {
      await using client = await openDatabase(field().system, "audit", "serving");
      for (const statement of [
        "update records set actor_id = 'nobody'",
        "delete from records",
        "truncate records",
        "drop table records",
      ])
        expect(await refusalOf(client, statement), statement).toBe(notAllowed);
    });

    test("what it gives: a false record at the end, by copying a true one", async () => {
      await using client = await openDatabase(field().system, "audit", "serving");
      const { rows } = await client.query<{ columns: string }>(
        `select string_agg(quote_ident(column_name), ', ' order by ordinal_position) as columns
           from information_schema.columns where table_name = 'records' and column_name not in ('seq', 'event_id')`,
      );
      const columns = rows[0]?.columns ?? "";
      const forged = `insert into records (seq, event_id, ${columns})
        select (select max(seq) + 1 from records), 'evt_00000000000000000000', ${columns}
          from records where action = 'grant.added' order by seq desc limit 1`;
      expect(await refusalOf(client, forged)).toBe("done");
    });

    test("what it gives: who owns it can take records away; the gap shows until he closes it", async () => {
      await using client = await openDatabase(field().system, "audit", "owner");
      await client.query("begin");
      const taken = await client.query("delete from records where seq = 3");
      await client.query("rollback");
      expect(taken.rowCount).toBe(1);
    });
  });
}
