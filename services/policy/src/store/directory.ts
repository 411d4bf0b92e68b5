import type { Tx } from "@sallyport/postgres";

/** A secret and the project that it belongs to. */
export type SecretPlace = { readonly secretId: string; readonly projectId: string };

/** Makes projects known to a vault; false when an id is known with another vault. */
export async function registerProjects(
  tx: Tx,
  vaultId: string,
  projectIds: readonly string[],
): Promise<boolean> {
  await tx.query(
    `insert into projects (project_id, vault_id)
     select distinct id, $1::text from unnest($2::text[]) as asked (id) order by id
     on conflict (project_id) do nothing`,
    [vaultId, projectIds],
  );
  const known = await findProjects(tx, vaultId, projectIds);
  return known.size === new Set(projectIds).size;
}

/** Makes secrets known to projects of a vault; false when an id is known with another place. */
export async function registerSecrets(
  tx: Tx,
  vaultId: string,
  secrets: readonly SecretPlace[],
): Promise<boolean> {
  await tx.query(
    `insert into secrets (secret_id, project_id, vault_id)
     select distinct secret_id, project_id, $1::text
       from unnest($2::text[], $3::text[]) as asked (secret_id, project_id) order by secret_id
     on conflict (secret_id) do nothing`,
    [vaultId, secrets.map(({ secretId }) => secretId), secrets.map(({ projectId }) => projectId)],
  );
  const places = await findSecrets(
    tx,
    vaultId,
    secrets.map(({ secretId }) => secretId),
  );
  return secrets.every(({ secretId, projectId }) => places.get(secretId) === projectId);
}

/** Those of the given projects that the vault has. */
export async function findProjects(
  tx: Tx,
  vaultId: string,
  projectIds: readonly string[],
): Promise<Set<string>> {
  const rows = await tx.query<{ project_id: string }>(
    "select project_id from projects where vault_id = $1 and project_id = any($2::text[])",
    [vaultId, projectIds],
  );
  return new Set(rows.map(({ project_id }) => project_id));
}

/** Those of the given secrets that the vault has, each with its project. */
export async function findSecrets(
  tx: Tx,
  vaultId: string,
  secretIds: readonly string[],
): Promise<Map<string, string>> {
  const rows = await tx.query<{ secret_id: string; project_id: string }>(
    "select secret_id, project_id from secrets where vault_id = $1 and secret_id = any($2::text[])",
    [vaultId, secretIds],
  );
  return new Map(rows.map(({ secret_id, project_id }) => [secret_id, project_id]));
}
