import type { Tx } from "@sallyport/postgres";

/** A project as it is stored. */
export type StoredProject = {
  readonly projectId: string;
  readonly vaultId: string;
  readonly name: string;
  readonly createdAt: Date;
  readonly createdBy: string;
};

/** A project key, wrapped by crypto, and which of the project's keys it is. */
export type WrappedProjectKey = { readonly generation: number; readonly wrappedKey: Uint8Array };

/** The key that new versions are sealed under, with the name of its project. */
export type CurrentProjectKey = WrappedProjectKey & { readonly projectName: string };

/** How a project is named: by its id or by its name. */
export type ProjectKeyword = { readonly by: "project_id" | "name"; readonly value: string };

type Row = { project_id: string; vault_id: string; name: string; created_at: Date; created_by: string };

const columns = "project_id, vault_id, name, created_at, created_by";

/** Stores a project with its first key. Throws a unique violation of projects_name when the name is taken. */
export async function addProject(tx: Tx, project: StoredProject, key: WrappedProjectKey): Promise<void> {
  const { projectId, vaultId, name, createdAt, createdBy } = project;
  await tx.query(
    "insert into projects (project_id, vault_id, name, created_at, created_by) values ($1, $2, $3, $4, $5)",
    [projectId, vaultId, name, createdAt, createdBy],
  );
  await tx.query("insert into project_keys (project_id, generation, wrapped_key) values ($1, $2, $3)", [
    projectId,
    key.generation,
    key.wrappedKey,
  ]);
}

/** Finds a project of the vault. */
export async function findProject(
  db: Tx,
  vaultId: string,
  { by, value }: ProjectKeyword,
): Promise<StoredProject | undefined> {
  const where = by === "name" ? "name = $2" : "project_id = $2";
  const rows = await db.query<Row>(`select ${columns} from projects where vault_id = $1 and ${where}`, [
    vaultId,
    value,
  ]);
  return rows.map(projectOf)[0];
}

/** Projects of the vault by name, after one of them. */
export async function listProjects(
  db: Tx,
  vaultId: string,
  page: { readonly after: string; readonly limit: number },
): Promise<StoredProject[]> {
  const rows = await db.query<Row>(
    `select ${columns} from projects where vault_id = $1 and name > $2 order by name limit $3`,
    [vaultId, page.after, page.limit],
  );
  return rows.map(projectOf);
}

/** The newest key of a project of the vault; undefined when the vault has no such project. */
export async function currentProjectKey(
  db: Tx,
  vaultId: string,
  projectId: string,
): Promise<CurrentProjectKey | undefined> {
  const rows = await db.query<{ name: string; generation: number; wrapped_key: Buffer }>(
    `select p.name, k.generation, k.wrapped_key
       from projects p join project_keys k on k.project_id = p.project_id
      where p.vault_id = $1 and p.project_id = $2
      order by k.generation desc limit 1`,
    [vaultId, projectId],
  );
  return rows.map(({ name, generation, wrapped_key }) => ({
    projectName: name,
    generation,
    wrappedKey: wrapped_key,
  }))[0];
}

function projectOf({ project_id, vault_id, name, created_at, created_by }: Row): StoredProject {
  return { projectId: project_id, vaultId: vault_id, name, createdAt: created_at, createdBy: created_by };
}
