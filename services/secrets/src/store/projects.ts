import type { Tx } from "@sallyport/postgres";
import type { Cursor } from "../page-cursor.ts";
import {
  type Deletion,
  type DeletionRow,
  type Scope,
  deletionColumns,
  deletionOf,
  inScope,
} from "./deletion.ts";

/** A project as it is stored, with the number of its living secrets. */
export type StoredProject = {
  readonly projectId: string;
  readonly vaultId: string;
  readonly name: string;
  readonly createdAt: Date;
  readonly createdBy: string;
  readonly secrets: number;
  readonly deletion: Deletion | undefined;
};

/** A project to store. */
export type NewProject = Omit<StoredProject, "secrets" | "deletion">;

/** A project key, wrapped by crypto, and which of the project's keys it is. */
export type WrappedProjectKey = { readonly generation: number; readonly wrappedKey: Uint8Array };

/** The key that new versions are sealed under, with the name of its project. */
export type CurrentProjectKey = WrappedProjectKey & { readonly projectName: string };

/** The key of a project: its id or, which only the living are, by its name. */
export type ProjectKeyword = { readonly by: "project_id" | "name"; readonly value: string };

type Row = DeletionRow & {
  project_id: string;
  vault_id: string;
  name: string;
  created_at: Date;
  created_by: string;
  secrets: number;
};

const selection = `
  select p.project_id, p.vault_id, p.name, p.created_at, p.created_by, ${deletionColumns("p")},
         (select count(*)::int from secrets s
           where s.project_id = p.project_id and s.deleted_at is null) as secrets
    from projects p`;

/**
 * Stores a project with its first key. Throws a unique violation of projects_name when the name is
 * taken.
 */
export async function addProject(
  tx: Tx,
  project: NewProject,
  key: WrappedProjectKey,
): Promise<void> {
  const { projectId, vaultId, name, createdAt, createdBy } = project;
  await tx.query(
    "insert into projects (project_id, vault_id, name, created_at, created_by) values ($1, $2, " +
      "$3, $4, $5)",
    [projectId, vaultId, name, createdAt, createdBy],
  );
  await tx.query(
    "insert into project_keys (project_id, generation, wrapped_key) values ($1, $2, $3)",
    [projectId, key.generation, key.wrappedKey],
  );
}

/** Finds a project of the vault. */
export async function findProject(
  db: Tx,
  vaultId: string,
  { by, value }: ProjectKeyword,
  scope: Scope = "living",
): Promise<StoredProject | undefined> {
  const where = by === "name" ? "p.name = $2" : "p.project_id = $2";
  const rows = await db.query<Row>(
    `${selection} where p.vault_id = $1 and ${where} and ${inScope("p", "$3")}`,
    [vaultId, value, scope === "restorable" && by === "project_id"],
  );
  return rows.map(projectOf)[0];
}

/** Projects of the vault by name, after one of them and without some. */
export async function listProjects(
  db: Tx,
  vaultId: string,
  page: {
    readonly after: Cursor;
    readonly limit: number;
    readonly scope: Scope;
    readonly without: readonly string[];
  },
): Promise<StoredProject[]> {
  const rows = await db.query<Row>(
    `${selection}
      where p.vault_id = $1 and (p.name, p.project_id) > ($2, $3) and ${inScope("p", "$4")}
        and p.project_id <> all($6::text[])
      order by p.name, p.project_id limit $5`,
    [
      vaultId,
      page.after.name,
      page.after.id,
      page.scope === "restorable",
      page.limit,
      page.without,
    ],
  );
  return rows.map(projectOf);
}

/**
 * Keeps a living project from being deleted until the transaction ends; false when the vault has
 * none. A writer that puts a living secret into a project holds it so.
 */
export async function keepProject(tx: Tx, vaultId: string, projectId: string): Promise<boolean> {
  const rows = await tx.query(
    `select project_id from projects
      where vault_id = $1 and project_id = $2 and deleted_at is null for share`,
    [vaultId, projectId],
  );
  return rows.length > 0;
}

/**
 * The newest key of a living project of the vault; undefined when the vault has no such project.
 */
export async function currentProjectKey(
  db: Tx,
  vaultId: string,
  projectId: string,
): Promise<CurrentProjectKey | undefined> {
  const rows = await db.query<{ name: string; generation: number; wrapped_key: Buffer }>(
    `select p.name, k.generation, k.wrapped_key
       from projects p join project_keys k on k.project_id = p.project_id
      where p.vault_id = $1 and p.project_id = $2 and p.deleted_at is null
      order by k.generation desc limit 1`,
    [vaultId, projectId],
  );
  return rows.map(({ name, generation, wrapped_key }) => ({
    projectName: name,
    generation,
    wrappedKey: wrapped_key,
  }))[0];
}

function projectOf(row: Row): StoredProject {
  return {
    projectId: row.project_id,
    vaultId: row.vault_id,
    name: row.name,
    createdAt: row.created_at,
    createdBy: row.created_by,
    secrets: row.secrets,
    deletion: deletionOf(row),
  };
}
