import type { Tx } from "@sallyport/postgres";
import { ProjectRole } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";

/** The role that a user was given in a project. */
export type StoredRole = {
  readonly userId: string;
  readonly projectId: string;
  readonly role: ProjectRole;
  readonly updatedAt: Date;
  readonly updatedBy: string;
};

/** A user of a vault. */
export type UserOf = { readonly vaultId: string; readonly userId: string };

/** In how many projects that are shown a user has each role. */
export type RoleCount = {
  readonly userId: string;
  readonly hidden: number;
  readonly lister: number;
  readonly writer: number;
  readonly manager: number;
};

type RoleText = "none" | "lister" | "writer" | "manager";
type Row = {
  user_id: string;
  project_id: string;
  role: RoleText;
  updated_at: Date;
  updated_by: string;
};
type Page = { readonly after: string; readonly limit: number };

/**
 * Which roles of a user: in every project, in those that are not deleted, or of these the ones that
 * hide nothing.
 */
export type RoleScope = "all" | "living" | "shown";

const roles: Readonly<Record<RoleText, ProjectRole>> = {
  none: ProjectRole.NONE,
  lister: ProjectRole.LISTER,
  writer: ProjectRole.WRITER,
  manager: ProjectRole.MANAGER,
};
const texts: ReadonlyMap<ProjectRole, RoleText> = new Map([
  [ProjectRole.NONE, "none"],
  [ProjectRole.LISTER, "lister"],
  [ProjectRole.WRITER, "writer"],
  [ProjectRole.MANAGER, "manager"],
]);
const columns = "r.user_id, r.project_id, r.role, r.updated_at, r.updated_by";

/** Gives the user that role in the project. */
export async function putRole(
  tx: Tx,
  vaultId: string,
  { userId, projectId, role, updatedAt, updatedBy }: StoredRole,
): Promise<void> {
  await tx.query(
    `insert into project_roles as r (user_id, project_id, vault_id, role, updated_by, updated_at)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (vault_id, user_id, project_id) do update
       set role = excluded.role, updated_by = excluded.updated_by,
           updated_at = excluded.updated_at`,
    [userId, projectId, vaultId, texts.get(role), updatedBy, updatedAt],
  );
}

/** Takes the role back and returns it; undefined when there was none. */
export async function deleteRole(
  tx: Tx,
  { vaultId, userId }: UserOf,
  projectId: string,
): Promise<StoredRole | undefined> {
  const rows = await tx.query<Row>(
    `delete from project_roles r where r.vault_id = $1 and r.user_id = $2 and r.project_id = $3
      returning ${columns}`,
    [vaultId, userId, projectId],
  );
  return rows.map(roleOf)[0];
}

/** The role that the user was given in the project. */
export async function findRole(
  db: Tx,
  { vaultId, userId }: UserOf,
  projectId: string,
): Promise<StoredRole | undefined> {
  const rows = await db.query<Row>(
    `select ${columns} from project_roles r
      where r.vault_id = $1 and r.user_id = $2 and r.project_id = $3`,
    [vaultId, userId, projectId],
  );
  return rows.map(roleOf)[0];
}

/** Counts the roles of the project, and those of the user in all projects. */
export async function countRoles(
  tx: Tx,
  { vaultId, userId }: UserOf,
  projectId: string,
): Promise<{ inProject: number; ofUser: number }> {
  const rows = await tx.query<{ inProject: number; ofUser: number }>(
    `select (select count(*)::int from project_roles
              where vault_id = $1 and project_id = $3) as "inProject",
            (select count(*)::int from project_roles
              where vault_id = $1 and user_id = $2) as "ofUser"`,
    [vaultId, userId, projectId],
  );
  return rows[0] ?? { inProject: 0, ofUser: 0 };
}

/** Roles in a project in the order of user ids, after one of them. */
export async function listRolesIn(
  db: Tx,
  vaultId: string,
  projectId: string,
  { after, limit }: Page,
): Promise<StoredRole[]> {
  const rows = await db.query<Row>(
    `select ${columns} from project_roles r
      where r.vault_id = $1 and r.project_id = $2 and r.user_id > $3 order by r.user_id limit $4`,
    [vaultId, projectId, after, limit],
  );
  return rows.map(roleOf);
}

const scopes: Readonly<Record<RoleScope, string>> = {
  all: "true",
  living: "p.state = 'live'",
  shown: "p.state = 'live' and r.role <> 'none'",
};

/** Roles of a user in the order of project ids, after one of them. */
export async function listRolesOf(
  db: Tx,
  { vaultId, userId }: UserOf,
  { after, limit, scope }: Page & { readonly scope: RoleScope },
): Promise<StoredRole[]> {
  const rows = await db.query<Row>(
    `select ${columns} from project_roles r
       join projects p on p.project_id = r.project_id and p.vault_id = r.vault_id
      where r.vault_id = $1 and r.user_id = $2 and r.project_id > $3 and ${scopes[scope]}
      order by r.project_id limit $4`,
    [vaultId, userId, after, limit],
  );
  return rows.map(roleOf);
}

/** Counts the roles of each of the users, in their order. */
export async function countRolesOf(
  db: Tx,
  vaultId: string,
  userIds: readonly string[],
): Promise<RoleCount[]> {
  const count = (role: RoleText, name: string) =>
    `count(*) filter (where r.role = '${role}')::int as ${name}`;
  return db.query<RoleCount>(
    `select asked.user_id as "userId", ${count("none", "hidden")}, ${count("lister", "lister")},
            ${count("writer", "writer")}, ${count("manager", "manager")}
       from unnest($2::text[]) with ordinality as asked (user_id, place)
       left join (project_roles r join projects p on p.project_id = r.project_id
                   and p.vault_id = r.vault_id and p.state = 'live')
         on r.vault_id = $1 and r.user_id = asked.user_id
      group by asked.user_id, asked.place order by asked.place`,
    [vaultId, userIds],
  );
}

/** Takes every role of a user, and keeps the user from getting another one. */
export async function endUser(tx: Tx, { vaultId, userId }: UserOf): Promise<void> {
  await tx.query(
    "insert into ended_users (user_id, vault_id) values ($1, $2) on conflict do nothing",
    [userId, vaultId],
  );
  await tx.query("delete from project_roles where vault_id = $1 and user_id = $2", [
    vaultId,
    userId,
  ]);
}

/** Says whether the user was removed. */
export async function hasEnded(db: Tx, { vaultId, userId }: UserOf): Promise<boolean> {
  const rows = await db.query("select 1 from ended_users where vault_id = $1 and user_id = $2", [
    vaultId,
    userId,
  ]);
  return rows.length > 0;
}

/**
 * The roles that the user was given in those projects, and in the projects of those secrets, that
 * the vault has and that are not purged; undefined stands for none given.
 */
export async function findGiven(
  db: Tx,
  { vaultId, userId }: UserOf,
  projectIds: readonly string[],
  secretIds: readonly string[],
): Promise<Map<string, ProjectRole | undefined>> {
  const rows = await db.query<{ id: string; role: RoleText | null }>(
    `select asked.id, r.role
       from (select project_id as id, project_id from projects
              where vault_id = $1 and project_id = any($3::text[]) and state <> 'purged'
              union all
             select s.secret_id, s.project_id from secrets s
              where s.vault_id = $1 and s.secret_id = any($4::text[]) and s.state <> 'purged'
            ) as asked (id, project_id)
       left join project_roles r
         on r.vault_id = $1 and r.user_id = $2 and r.project_id = asked.project_id`,
    [vaultId, userId, projectIds, secretIds],
  );
  return new Map(rows.map(({ id, role }) => [id, role === null ? undefined : roles[role]]));
}

function roleOf(row: Row): StoredRole {
  return {
    userId: row.user_id,
    projectId: row.project_id,
    role: roles[row.role],
    updatedAt: row.updated_at,
    updatedBy: row.updated_by,
  };
}
