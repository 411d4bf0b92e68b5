import type { System } from "@sallyport/deploy/local";
import type { Client } from "pg";
import { openDatabase, tablesOf } from "../../system/databases.ts";

const owners = ["identity", "policy", "secrets"] as const;

/** The databases of a deployment, opened by their owners' roles. */
export type Databases = AsyncDisposable & {
  /** Every row of every table that holds what people made, as one text. */
  snapshot(): Promise<string>;
  /** Moves the end of a machine's life into the past: nobody has to wait for it. */
  age(machineId: string): Promise<void>;
};

// What is written besides changes: sightings, and what is kept of the changes that were made.
const besides = ["public.sightings", "public.outbox", "public.seen_requests"];

/**
 * Opens them. Rows of the machines named as aged are left out: a sweep works on them at its own
 * time.
 */
export async function openDatabases(system: System): Promise<Databases> {
  const clients = await Promise.all(owners.map((owner) => openDatabase(system, owner)));
  const tables = await Promise.all(clients.map(keptTables));
  const aged: string[] = [];
  const rowsOf = async (client: Client, table: string): Promise<string> => {
    const { rows } = await client.query<{ row: string }>(`select t::text as row from ${table} t`);
    const texts = rows.map(({ row }) => row).filter((row) => !aged.some((id) => row.includes(id)));
    return `${table}\n${texts.toSorted().join("\n")}`;
  };
  return {
    async snapshot() {
      const parts = await Promise.all(
        clients.map(async (client, index) => {
          const found: string[] = [];
          for (const table of tables[index] ?? []) found.push(await rowsOf(client, table));
          return found.join("\n\n");
        }),
      );
      return parts.join("\n\n");
    },
    async age(machineId) {
      aged.push(machineId);
      const [identity, policy] = clients;
      const past = "expires_at = now() - interval '1 minute'";
      await identity?.query(`update machines set ${past} where machine_id = $1`, [machineId]);
      await policy?.query(`update principals set ${past} where machine_id = $1`, [machineId]);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(clients.map((client) => client.end()));
    },
  };
}

async function keptTables(client: Client): Promise<string[]> {
  return (await tablesOf(client)).filter((name) => !besides.includes(name));
}
