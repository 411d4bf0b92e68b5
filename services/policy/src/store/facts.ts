import type { Tx } from "@sallyport/postgres";
import type { RequestFacts, SecretFacts } from "../decision/decide.ts";
import type { Principal } from "../decision/evaluate.ts";

/** Most secrets of one decision, and so of one page. */
export const PAGE_SIZE = 100;

/** A request that names its secrets. */
export type NamedTarget = {
  readonly vaultId: string;
  readonly machineId: string;
  readonly secretIds: readonly string[];
};

/**
 * A request for every granted secret, of one project when projectId is not empty, after a secret
 * id.
 */
export type GrantedTarget = {
  readonly vaultId: string;
  readonly machineId: string;
  readonly projectId: string;
  readonly after: string;
};

/** Facts with the token of the next page, empty on the last. */
export type Page = { readonly facts: RequestFacts; readonly nextPageToken: string };

type PrincipalRow = {
  status: Principal["status"] | null;
  expires_at: Date | null;
  token_id: string | null;
};
type RightsRow = { member: true | null; reach: boolean | null; sealed_only: boolean | null };
type NamedRow = PrincipalRow &
  RightsRow & { item: number; secret_id: string; project_id: string | null };
type GrantedRow = PrincipalRow &
  RightsRow & {
    item: number;
    member_of_target: boolean | null;
    secret_id: string | null;
    project_id: string | null;
  };

// Membership and grant are looked up by sub-selects and not joined: a join may be planned by way of
// everybody else who was granted the secret, and then a read costs the more, the more machines
// there are.
const memberSql =
  "(select true from memberships m where m.machine_id = p.machine_id and m.project_id = " +
  "s.project_id)";
const sealedOnlySql = `(exists (select from sealed_vaults v where v.vault_id = s.vault_id)
           or exists (select from sealed_secrets e where e.secret_id = s.secret_id))`;

const namedSql = `
  select asked.item, p.status, p.expires_at, p.token_id, asked.secret_id, s.project_id,
         ${memberSql} as member,
         (select g.any_version from grants g
           where g.machine_id = p.machine_id and g.secret_id = s.secret_id) as reach,
         ${sealedOnlySql} as sealed_only
    from unnest($1::int[], $2::text[], $3::text[], $4::text[]) with ordinality
           as asked (item, vault_id, machine_id, secret_id, place)
    left join principals p on p.machine_id = asked.machine_id and p.vault_id = asked.vault_id
    left join live_secrets s on s.secret_id = asked.secret_id and s.vault_id = asked.vault_id
   order by asked.place`;

const grantedSql = `
  select asked.item, p.status, p.expires_at, p.token_id,
         asked.project_id = '' or (
           select true from memberships t
             join projects r on r.project_id = t.project_id and r.state = 'live'
            where t.machine_id = p.machine_id and t.project_id = asked.project_id
         ) as member_of_target,
         f.secret_id, f.project_id, f.member, f.reach, f.sealed_only
    from unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::text[])
           as asked (item, vault_id, machine_id, project_id, after)
    left join principals p on p.machine_id = asked.machine_id and p.vault_id = asked.vault_id
    left join lateral (
      select s.secret_id, s.project_id, g.any_version as reach, ${memberSql} as member,
             ${sealedOnlySql} as sealed_only
        from grants g
        join live_secrets s on s.secret_id = g.secret_id and s.vault_id = p.vault_id
       where g.machine_id = p.machine_id
         and g.secret_id > asked.after
         and (asked.project_id = '' or s.project_id = asked.project_id)
       order by g.secret_id
       limit ${PAGE_SIZE + 1}
    ) f on true
   order by asked.item, f.secret_id`;

/**
 * Reads the facts of requests that name their secrets, in the order of the targets, with one
 * statement.
 */
export async function readNamed(db: Tx, targets: readonly NamedTarget[]): Promise<Page[]> {
  if (targets.length === 0) return [];
  const asked = targets.flatMap(({ vaultId, machineId, secretIds }, item) =>
    secretIds.map((secretId) => ({ item, vaultId, machineId, secretId })),
  );
  const rows = await db.query<NamedRow>(namedSql, [
    asked.map(({ item }) => item),
    asked.map(({ vaultId }) => vaultId),
    asked.map(({ machineId }) => machineId),
    asked.map(({ secretId }) => secretId),
  ]);
  const byItem = Map.groupBy(rows, (row) => row.item);
  return targets.map((_, item) => {
    const mine = byItem.get(item) ?? [];
    const secrets = mine.map((row) => ({
      secretId: row.secret_id,
      projectId: row.project_id ?? "",
      ...rightsOf(row),
    }));
    return {
      facts: { principal: principalOf(mine[0]), memberOfTarget: true, secrets },
      nextPageToken: "",
    };
  });
}

/**
 * Reads the facts of requests for what was granted, a page each in the order of secret ids, with
 * one statement.
 */
export async function readGranted(db: Tx, targets: readonly GrantedTarget[]): Promise<Page[]> {
  if (targets.length === 0) return [];
  const rows = await db.query<GrantedRow>(grantedSql, [
    targets.map((_, item) => item),
    targets.map(({ vaultId }) => vaultId),
    targets.map(({ machineId }) => machineId),
    targets.map(({ projectId }) => projectId),
    targets.map(({ after }) => after),
  ]);
  const byItem = Map.groupBy(rows, (row) => row.item);
  return targets.map((_, item) => {
    const mine = byItem.get(item) ?? [];
    const found = mine.flatMap(grantedSecret);
    const secrets = found.slice(0, PAGE_SIZE);
    const memberOfTarget = mine[0]?.member_of_target ?? false;
    const nextPageToken = found.length > PAGE_SIZE ? (secrets.at(-1)?.secretId ?? "") : "";
    return { facts: { principal: principalOf(mine[0]), memberOfTarget, secrets }, nextPageToken };
  });
}

function grantedSecret(row: GrantedRow): SecretFacts[] {
  if (row.secret_id === null || row.project_id === null) return [];
  return [{ secretId: row.secret_id, projectId: row.project_id, ...rightsOf(row) }];
}

// The reach of a grant is whether it is of any version; there is none where there is no grant.
function rightsOf({ member, reach, sealed_only }: RightsRow) {
  return {
    member: member === true,
    granted: reach !== null,
    anyVersion: reach === true,
    sealedOnly: sealed_only === true,
  };
}

function principalOf(row: PrincipalRow | undefined): Principal | undefined {
  if (!row || row.status === null || row.expires_at === null) return undefined;
  const { status, expires_at: expiresAt, token_id: originId } = row;
  return { status, expiresAtMs: expiresAt.getTime(), ...(originId === null ? {} : { originId }) };
}
