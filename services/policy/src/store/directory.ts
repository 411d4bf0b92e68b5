import type { Tx } from "@sallyport/postgres";

/** A secret and the project that it belongs to. */
export type SecretPlace = { readonly secretId: string; readonly projectId: string };

/** The visibility of an id: live, hidden for now, or permanently hidden. */
export type State = "live" | "retired" | "purged";

// "On conflict" names no index here: of two registrations at once, an index that is not named
// raises a unique violation.

/** Makes projects known to a vault; false when an id is known with another vault, or was purged. */
export async function registerProjects(
  tx: Tx,
  vaultId: string,
  projectIds: readonly string[],
): Promise<boolean> {
  await tx.query(
    `insert into projects (project_id, vault_id)
     select distinct id, $1::text from unnest($2::text[]) as asked (id) order by id
     on conflict do nothing`,
    [vaultId, projectIds],
  );
  const usable = await tx.query(
    "select 1 from projects where vault_id = $1 and project_id = any($2::text[]) and state <> " +
      "'purged'",
    [vaultId, projectIds],
  );
  return usable.length === new Set(projectIds).size;
}

/**
 * Makes secrets known to projects of a vault; false when an id is known with another project, or
 * was purged.
 */
export async function registerSecrets(
  tx: Tx,
  vaultId: string,
  secrets: readonly SecretPlace[],
): Promise<boolean> {
  const secretIds = secrets.map(({ secretId }) => secretId);
  await tx.query(
    `insert into secrets (secret_id, project_id, vault_id)
     select distinct secret_id, project_id, $1::text
       from unnest($2::text[], $3::text[]) as asked (secret_id, project_id) order by secret_id
     on conflict do nothing`,
    [vaultId, secretIds, secrets.map(({ projectId }) => projectId)],
  );
  const places = await placesOf(tx, vaultId, secretIds);
  return secrets.every(({ secretId, projectId }) => {
    const known = places.get(secretId);
    return known?.projectId === projectId && known.state !== "purged";
  });
}

/** Those of the given projects that the vault has and shows. */
export async function findProjects(
  tx: Tx,
  vaultId: string,
  projectIds: readonly string[],
): Promise<Set<string>> {
  const rows = await tx.query<{ project_id: string }>(
    "select project_id from projects where vault_id = $1 and project_id = any($2::text[]) and " +
      "state = 'live'",
    [vaultId, projectIds],
  );
  return new Set(rows.map(({ project_id }) => project_id));
}

/** Those of the given secrets that the vault has and shows, each with its project. */
export async function findSecrets(
  tx: Tx,
  vaultId: string,
  secretIds: readonly string[],
): Promise<Map<string, string>> {
  const rows = await tx.query<{ secret_id: string; project_id: string }>(
    "select secret_id, project_id from live_secrets where vault_id = $1 and secret_id = " +
      "any($2::text[])",
    [vaultId, secretIds],
  );
  return new Map(rows.map(({ secret_id, project_id }) => [secret_id, project_id]));
}

/**
 * Those of the given secrets that the vault has, hidden ones too, each with its project and its own
 * state.
 */
export async function placesOf(
  tx: Tx,
  vaultId: string,
  secretIds: readonly string[],
): Promise<Map<string, { readonly projectId: string; readonly state: State }>> {
  const rows = await tx.query<{ secret_id: string; project_id: string; state: State }>(
    "select secret_id, project_id, state from secrets where vault_id = $1 and secret_id = " +
      "any($2::text[])",
    [vaultId, secretIds],
  );
  return new Map(
    rows.map(({ secret_id, project_id, state }) => [secret_id, { projectId: project_id, state }]),
  );
}
