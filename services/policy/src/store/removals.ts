import type { Tx } from "@sallyport/postgres";

/** Whose rights go: those of machines, of secrets, or of projects. */
export type Whose = "machines" | "secrets" | "projects";

const ofMachines = "machine_id = any($2::text[])";
const ofProjects = "project_id = any($2::text[])";
const inProjects =
  "(machine_id, project_id) in (select machine_id, project_id from memberships " +
  `where ${ofProjects})`;

const grants: Readonly<Record<Whose, string>> = {
  machines: deletion("grants", "secret_id", ofMachines),
  secrets: deletion("grants", "secret_id", "secret_id = any($2::text[])"),
  projects: deletion("grants", "secret_id", inProjects),
};
const memberships: Readonly<Partial<Record<Whose, string>>> = {
  machines: deletion("memberships", "project_id", ofMachines),
  projects: deletion("memberships", "project_id", ofProjects),
};

const projectRoles: Readonly<Partial<Record<Whose, string>>> = {
  projects: `
  with doomed as (
    select user_id, project_id from project_roles where vault_id = $1 and ${ofProjects} limit $3
  ), removed as (
    delete from project_roles r using doomed d
     where r.vault_id = $1 and r.user_id = d.user_id and r.project_id = d.project_id returning 1
  ) select count(*)::int as removed from removed`,
};

function deletion(table: string, key: string, condition: string): string {
  return `
    with doomed as (
      select machine_id, ${key} from ${table} where vault_id = $1 and ${condition} limit $3
    ), removed as (
      delete from ${table} t using doomed d
       where t.machine_id = d.machine_id and t.${key} = d.${key} returning 1
    ) select count(*)::int as removed from removed`;
}

// So few that the statement ends long before its time is up.
const rowsAtOnce = 5_000;

/**
 * Takes grants back, then machines out of projects, then roles in them, at most 5,000 of each;
 * returns whether there may be more. Grants
 * go first, for those that go with their membership are not counted.
 */
export async function removeSomeRights(
  tx: Tx,
  whose: Whose,
  vaultId: string,
  ids: readonly string[],
): Promise<boolean> {
  for (const statement of [grants[whose], memberships[whose], projectRoles[whose]]) {
    if (statement === undefined || ids.length === 0) continue;
    const rows = await tx.query<{ removed: number }>(statement, [vaultId, ids, rowsAtOnce]);
    if (rows[0]?.removed === rowsAtOnce) return true;
  }
  return false;
}
