import type { Tx } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";
import { type MachineRow, type NewMachine, machineColumns, machineOf } from "../machines/store.ts";
import type { Admitted, Room } from "./admission.ts";

/**
 * Makes a provisioning machine and counts the use of its token, in one statement, for the lock of
 * the vault's machines is held meanwhile; undefined, and nothing done, when the token is used up,
 * expired or revoked, there is no room, or the key is a machine already. Throws Failure
 * DEPENDENCY_UNAVAILABLE when the token was revoked at this very moment.
 */
export async function admitMachine(
  tx: Tx,
  machine: NewMachine & { readonly tokenId: string },
  { cap, uniqueName }: Room,
): Promise<Admitted | undefined> {
  const [row] = await tx.query<MachineRow & { uses: number | null }>(
    `with made as (
       insert into machines
         (machine_id, vault_id, token_id, public_key, name, hostname, state, created_at, expires_at)
       select $1, $2, $3, $4, $5, $6, 'provisioning', $7, $8 from enrollment_tokens
        where vault_id = $2 and token_id = $3
          and uses < max_uses and revoked_at is null and expires_at > $7
          and $9 > (select count(*) from machines
                     where vault_id = $2 and state in ('provisioning', 'active', 'disabled')
                       and expires_at > $7)
          and not ($10 and exists (select 1 from machines
                     where vault_id = $2 and name = $5
                       and state in ('provisioning', 'active', 'disabled') and expires_at > $7))
       on conflict on constraint machines_public_key do nothing
       returning ${machineColumns}),
     used as (
       update enrollment_tokens set uses = uses + 1, last_used_at = $7
        where vault_id = $2 and token_id = $3 and exists (select 1 from made)
          and uses < max_uses and revoked_at is null and expires_at > $7
       returning uses)
     select made.*, used.uses from made left join used on true`,
    [
      machine.machineId,
      machine.vaultId,
      machine.tokenId,
      machine.publicKey,
      machine.name,
      machine.hostname,
      machine.createdAt,
      machine.expiresAt,
      cap,
      uniqueName,
    ],
  );
  if (!row) return undefined;
  // The machine is made and its use is not counted: only a rollback puts that right.
  if (row.uses === null)
    throw fail(Reason.DEPENDENCY_UNAVAILABLE, {}, new Error("the token was revoked"));
  return { machine: machineOf(row), uses: row.uses };
}
