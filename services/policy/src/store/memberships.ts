import type { Tx } from "@sallyport/postgres";

/** The membership of a machine in a project. */
export type StoredMembership = {
  readonly machineId: string;
  readonly projectId: string;
  readonly createdAt: Date;
};

/** The maker of a membership or grant, the machine, and the time. */
export type Assignment = {
  readonly vaultId: string;
  readonly machineId: string;
  readonly createdBy: string;
  readonly at: Date;
};

type Page = { readonly after: string; readonly limit: number };
type Row = { machine_id: string; project_id: string; created_at: Date };

/** Makes the machine a member of the projects; returns only those it was not a member of. */
export async function addMemberships(
  tx: Tx,
  { vaultId, machineId, createdBy, at }: Assignment,
  projectIds: readonly string[],
): Promise<StoredMembership[]> {
  const rows = await tx.query<Row>(
    `insert into memberships (machine_id, project_id, vault_id, created_by, created_at)
     select $1::text, id, $2::text, $3::text, $4::timestamptz
       from unnest($5::text[]) as asked (id) order by id
     on conflict (machine_id, project_id) do nothing
     returning machine_id, project_id, created_at`,
    [machineId, vaultId, createdBy, at, projectIds],
  );
  return rows.map(membershipOf);
}

/** The membership of a machine in a project of the vault. */
export async function findMembership(
  tx: Tx,
  vaultId: string,
  machineId: string,
  projectId: string,
): Promise<StoredMembership | undefined> {
  const rows = await tx.query<Row>(
    `select machine_id, project_id, created_at from memberships
      where machine_id = $1 and project_id = $2 and vault_id = $3`,
    [machineId, projectId, vaultId],
  );
  return rows.map(membershipOf)[0];
}

/**
 * Takes the machine out of the project; its grants there go with it. False when it was no member.
 */
export async function removeMembership(
  tx: Tx,
  vaultId: string,
  machineId: string,
  projectId: string,
): Promise<boolean> {
  const rows = await tx.query(
    "delete from memberships where machine_id = $1 and project_id = $2 and vault_id = $3 " +
      "returning machine_id",
    [machineId, projectId, vaultId],
  );
  return rows.length > 0;
}

/** The projects that the machines are members of. */
export async function projectsOf(
  tx: Tx,
  vaultId: string,
  machineIds: readonly string[],
): Promise<string[]> {
  const rows = await tx.query<{ project_id: string }>(
    "select distinct project_id from memberships where vault_id = $1 and machine_id = " +
      "any($2::text[])",
    [vaultId, machineIds],
  );
  return rows.map(({ project_id }) => project_id);
}

/** Members of a project in the order of machine ids, after one of them. */
export async function listMemberships(
  db: Tx,
  vaultId: string,
  projectId: string,
  page: Page,
): Promise<StoredMembership[]> {
  const rows = await db.query<Row>(
    `select machine_id, project_id, created_at from memberships
      where project_id = $1 and vault_id = $2 and machine_id > $3
      order by machine_id limit $4`,
    [projectId, vaultId, page.after, page.limit],
  );
  return rows.map(membershipOf);
}

/**
 * Projects of a machine, of those that are shown, in the order of project ids, after one of them.
 */
export async function listMembershipsOfMachine(
  db: Tx,
  vaultId: string,
  machineId: string,
  page: Page,
): Promise<StoredMembership[]> {
  const rows = await db.query<Row>(
    `select m.machine_id, m.project_id, m.created_at
       from memberships m join projects p on p.project_id = m.project_id
      where m.machine_id = $1 and m.vault_id = $2 and m.project_id > $3 and p.state = 'live'
      order by m.project_id limit $4`,
    [machineId, vaultId, page.after, page.limit],
  );
  return rows.map(membershipOf);
}

function membershipOf({ machine_id, project_id, created_at }: Row): StoredMembership {
  return { machineId: machine_id, projectId: project_id, createdAt: created_at };
}
