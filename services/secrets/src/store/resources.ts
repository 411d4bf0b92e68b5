import type { Tx } from "@sallyport/postgres";
import { type StoredProject, findProject } from "./projects.ts";
import { type StoredSecret, findSecret } from "./secrets.ts";

/** A project or secret, distinguished by the prefix of its id. */
export type Resource = { readonly id: string; readonly vaultId: string };

type Kind = "project" | "secret";
const tables = {
  project: { table: "projects", key: "project_id" },
  secret: { table: "secrets", key: "secret_id" },
} as const;

/** Returns the kind of resource that an id names. */
export function kindOf(id: string): Kind {
  return id.startsWith("prj_") ? "project" : "secret";
}

// The lock is taken first and the row read after it: in one statement the joined rows would be
// those from before the wait.

/**
 * Holds a secret, living or restorable, until the transaction ends, and returns it as it is then.
 */
export async function holdSecret(
  tx: Tx,
  vaultId: string,
  secretId: string,
): Promise<StoredSecret | undefined> {
  await hold(tx, { vaultId, id: secretId });
  return findSecret(tx, vaultId, { secretId }, "restorable");
}

/**
 * Holds a project, living or restorable, until the transaction ends, and returns it as it is then.
 */
export async function holdProject(
  tx: Tx,
  vaultId: string,
  projectId: string,
): Promise<StoredProject | undefined> {
  await hold(tx, { vaultId, id: projectId });
  return findProject(tx, vaultId, { by: "project_id", value: projectId }, "restorable");
}

/**
 * Holds a project or secret until the transaction ends and tells whether it lives; undefined when
 * there is none.
 */
export async function hold(tx: Tx, { id, vaultId }: Resource): Promise<boolean | undefined> {
  const { table, key } = tables[kindOf(id)];
  const rows = await tx.query<{ living: boolean }>(
    `select deleted_at is null as living from ${table} where ${key} = $1 and vault_id = $2 for ` +
      "update",
    [id, vaultId],
  );
  return rows[0]?.living;
}

/** Marks a living project or secret as deleted; the database says when. */
export async function markDeleted(tx: Tx, id: string, deletedBy: string): Promise<void> {
  const { table, key } = tables[kindOf(id)];
  await tx.query(
    `update ${table} set deleted_at = now(), deleted_by = $2 where ${key} = $1 and deleted_at is ` +
      "null",
    [id, deletedBy],
  );
}

/**
 * Takes that mark away. Throws a unique violation of projects_name or secrets_name when the name is
 * taken.
 */
export async function markRestored(tx: Tx, id: string): Promise<void> {
  const { table, key } = tables[kindOf(id)];
  await tx.query(`update ${table} set deleted_at = null, deleted_by = null where ${key} = $1`, [
    id,
  ]);
}
