import { withClient } from "./roles.ts";

/**
 * What a filled log holds that a test may ask for; early things are in its first tenth and never
 * again.
 */
export const filledLog = {
  vaultId: `vlt_${"1".repeat(20)}`,
  otherVaultId: `vlt_${"2".repeat(20)}`,
  machineId: numbered("mch", 152),
  earlyMachineId: numbered("mch", 7),
  userId: numbered("usr", 2),
  secretId: numbered("sec", 55),
  projectId: numbered("prj", 5),
  tokenId: numbered("tok", 11),
  usualAddress: "198.51.100.7",
  earlyNetwork: "203.0.113.0/24",
  runnerNetwork: "10.0.0.0/8",
  v6Network: "2001:db8::/32",
  /** The first record is of this time, and one follows every second. */
  begin: new Date("2026-01-01T00:00:00Z"),
};

function numbered(prefix: string, number: number): string {
  return `${prefix}_${String(number).padStart(20, "0")}`;
}

const id = (prefix: string, number: string): string =>
  `'${prefix}_' || lpad((${number})::text, 20, '0')`;

// A log as they become: people set things up, then machines read for months, and now and then are
// refused. Nine of ten reads come through one address, the others from many runners.
const rows = `
select g as seq, ${id("evt", "g")} as event_id, at, at, emitter, action, outcome, 1, actor_kind,
  case actor_kind when 2 then ${id("usr", "g % 20")} else ${id("mch", "machine")} end,
  case when outcome = 1 then '' when early then 'TOKEN_EXHAUSTED' when g % 2 = 0 then 'NOT_GRANTED' else 'PROJECT_FROZEN' end,
  vault, ${id("prj", "g % 30")}, case when early then '' else ${id("sec", "g % 300")} end, 1,
  case when actor_kind = 2 then '' else ${id("mch", "machine")} end,
  case when early then ${id("tok", "g % 40")} else '' end, host(source), sha256(g::text::bytea),
  case when action = 'secret.read' then ${id("dec", "g")} else '' end, 1, '{"name": "DB_URL"}'::jsonb,
  substr(sha256(g::text::bytea), 1, 16), convert_to(repeat('x', 300), 'UTF8'), 'sallyport-cli/0.1.0', source
from (
  select *, case when early and g % 5 = 4 or action = 'secret.read.denied' then 2 else 1 end as outcome,
    case when early and g % 5 < 3 then 2 else 1 end as actor_kind,
    case when action = 'secret.read' then 'crypto' when early then 'identity' else 'policy' end as emitter
  from (
    select g, g <= $1 / 10 as early,
      $2::timestamptz + g * interval '1 second' as at,
      case when g % 10 = 0 then '${filledLog.otherVaultId}' when g % 25 = 1 then '' else '${filledLog.vaultId}' end as vault,
      case when g <= $1 / 10 then (array['grant.added', 'token.created', 'machine.enrolled', 'secret.created', 'token.refused'])[1 + g % 5]
        when g % 12 = 5 then 'secret.read.denied' else 'secret.read' end as action,
      case when g <= $1 / 10 then g % 50 else 50 + g % 450 end as machine,
      case when g <= $1 / 10 then '203.0.113.0'::inet + g % 200
        when g % 100 = 7 then '2001:db8::1'::inet + (g % 50) * 65536
        when g % 10 = 3 then '10.0.0.0'::inet + (g / 10) % 3000
        else '198.51.100.7'::inet end as source
    from generate_series(1, $1::bigint) as g
  ) as base
) as record`;

/**
 * Puts that many records into an empty, migrated log, as its owner, and lets Postgres learn what is
 * in it.
 */
export async function fillLog(ownerUrl: string, count: number): Promise<void> {
  await withClient(ownerUrl, async (client) => {
    // Indexes are built faster than they are kept.
    const { rows: indexes } = await client.query<{ name: string; definition: string }>(
      `select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition from pg_index
       where indrelid = 'records'::regclass
         and not exists (select from pg_constraint where conindid = indexrelid)`,
    );
    for (const { name } of indexes) await client.query(`drop index ${name}`);
    await client.query(
      `insert into records (seq, event_id, "time", recorded_at, emitter, action, outcome, severity, actor_kind, actor_id,
       reason, vault_id, project_id, secret_id, secret_version, machine_id, subject_id, source_ip, request_digest,
       decision_id, policy_version, detail, attempt_id, canonical, client, source) ${rows}`,
      [count, filledLog.begin],
    );
    for (const { definition } of indexes) await client.query(definition);
    await client.query("analyze records");
  });
}
