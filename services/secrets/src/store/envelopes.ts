import type { Tx } from "@sallyport/postgres";
import type { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";

/** A request for envelopes: requestedVersion 0 means whatever is current. */
export type FetchTarget = {
  readonly vaultId: string;
  readonly secretIds: readonly string[];
  readonly requestedVersion: number;
};

/** An envelope with everything that its slip says, and the key that it was sealed under. */
export type FoundEnvelope = {
  readonly secretId: string;
  readonly projectId: string;
  readonly name: string;
  readonly version: number;
  readonly envelope: Uint8Array;
  readonly wrappedProjectKey: Uint8Array;
};

/** The description of a secret in a listing. */
export type DescribedSecret = {
  readonly secretId: string;
  readonly name: string;
  readonly projectId: string;
  readonly projectName: string;
  readonly version: number;
  readonly kind: ValueKind;
};

type EnvelopeRow = {
  item: number;
  secret_id: string;
  project_id: string;
  name: string;
  version: number;
  envelope: Buffer;
  wrapped_key: Buffer;
};
type DescriptionRow = {
  secret_id: string;
  name: string;
  project_id: string;
  project_name: string;
  current_version: number;
  kind: ValueKind;
};

const envelopesSql = `
  select asked.item, s.secret_id, s.project_id, s.name, v.version, v.envelope, k.wrapped_key
    from unnest($1::int[], $2::text[], $3::text[], $4::bigint[]) with ordinality
           as asked (item, vault_id, secret_id, requested_version, place)
    join secrets s on s.secret_id = asked.secret_id and s.vault_id = asked.vault_id
     and s.deleted_at is null
    join versions v on v.secret_id = s.secret_id
     and v.version = case asked.requested_version
           when 0 then s.current_version else asked.requested_version end
    join project_keys k on k.project_id = v.project_id and k.generation = v.key_generation
   order by asked.place`;

/**
 * Finds envelopes for each target, in the order of the targets, with one statement. One that does
 * not live is left out.
 */
export async function findEnvelopes(
  db: Tx,
  targets: readonly FetchTarget[],
): Promise<FoundEnvelope[][]> {
  const asked = targets.flatMap(({ vaultId, secretIds, requestedVersion }, item) =>
    secretIds.map((secretId) => ({ item, vaultId, secretId, requestedVersion })),
  );
  const rows = await db.query<EnvelopeRow>(envelopesSql, [
    asked.map(({ item }) => item),
    asked.map(({ vaultId }) => vaultId),
    asked.map(({ secretId }) => secretId),
    asked.map(({ requestedVersion }) => requestedVersion),
  ]);
  const byItem = Map.groupBy(rows, (row) => row.item);
  return targets.map((_, item) => (byItem.get(item) ?? []).map(envelopeOf));
}

/** Describes those of the given secrets that the vault has. */
export async function describeSecrets(
  db: Tx,
  vaultId: string,
  secretIds: readonly string[],
): Promise<DescribedSecret[]> {
  const rows = await db.query<DescriptionRow>(
    `select s.secret_id, s.name, s.project_id, p.name as project_name, s.current_version, v.kind
       from secrets s
       join projects p on p.project_id = s.project_id
       join versions v on v.secret_id = s.secret_id and v.version = s.current_version
      where s.vault_id = $1 and s.secret_id = any($2::text[]) and s.deleted_at is null
      order by s.secret_id`,
    [vaultId, secretIds],
  );
  return rows.map((row) => ({
    secretId: row.secret_id,
    name: row.name,
    projectId: row.project_id,
    projectName: row.project_name,
    version: row.current_version,
    kind: row.kind,
  }));
}

function envelopeOf({
  secret_id,
  project_id,
  name,
  version,
  envelope,
  wrapped_key,
}: EnvelopeRow): FoundEnvelope {
  return {
    secretId: secret_id,
    projectId: project_id,
    name,
    version,
    envelope,
    wrappedProjectKey: wrapped_key,
  };
}
