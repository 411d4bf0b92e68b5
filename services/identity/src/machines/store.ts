import type { Tx } from "@sallyport/postgres";

/**
 * The stored state of a machine. It is expired by time before that is stored.
 */
export type StoredState = "provisioning" | "active" | "disabled" | "revoked" | "expired";

/** A machine as stored. */
export type Machine = {
  readonly machineId: string;
  readonly vaultId: string;
  /** The enrollment token that made it; null when another admission did. */
  readonly tokenId: string | null;
  /** Raw Ed25519 key, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly name: string;
  readonly hostname: string;
  readonly state: StoredState;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  /** The time at which policy had taken over its scope; null before that. */
  readonly activatedAt: Date | null;
};

/** The fields of a new machine. */
export type NewMachine = Omit<Machine, "state" | "activatedAt">;

/** A row of machines. */
export type MachineRow = {
  machine_id: string;
  vault_id: string;
  token_id: string | null;
  public_key: Buffer;
  name: string;
  hostname: string;
  state: StoredState;
  created_at: Date;
  expires_at: Date;
  activated_at: Date | null;
};

/** The columns of a row. */
export const machineColumns =
  "machine_id, vault_id, token_id, public_key, name, hostname, state, created_at, expires_at, " +
  "activated_at";

/** The machine with that public key, of whichever vault. */
export async function findMachineByKey(
  db: Tx,
  publicKey: Uint8Array,
): Promise<Machine | undefined> {
  const rows = await db.query<MachineRow>(
    `select ${machineColumns} from machines where public_key = $1`,
    [publicKey],
  );
  return rows.map(machineOf)[0];
}

/** The vault's machine of that id. */
export async function findMachine(
  db: Tx,
  vaultId: string,
  machineId: string,
): Promise<Machine | undefined> {
  const rows = await db.query<MachineRow>(
    `select ${machineColumns} from machines where vault_id = $1 and machine_id = $2`,
    [vaultId, machineId],
  );
  return rows.map(machineOf)[0];
}

/** The same, locked: the machine's state does not change until the transaction ends. */
export async function lockMachine(
  tx: Tx,
  vaultId: string,
  machineId: string,
): Promise<Machine | undefined> {
  const rows = await tx.query<MachineRow>(
    `select ${machineColumns} from machines where vault_id = $1 and machine_id = $2 for update`,
    [vaultId, machineId],
  );
  return rows.map(machineOf)[0];
}

/** Machines of all vaults by id, for credentials. */
export async function findMachines(db: Tx, machineIds: readonly string[]): Promise<Machine[]> {
  if (machineIds.length === 0) return [];
  const rows = await db.query<MachineRow>(
    `select ${machineColumns} from machines where machine_id = any($1::text[])`,
    [machineIds],
  );
  return rows.map(machineOf);
}

/** The vault's machines of those ids, in no order. */
export async function findMachinesOf(
  db: Tx,
  vaultId: string,
  machineIds: readonly string[],
): Promise<Machine[]> {
  const rows = await db.query<MachineRow>(
    `select ${machineColumns} from machines where vault_id = $1 and machine_id = any($2::text[])`,
    [vaultId, machineIds],
  );
  return rows.map(machineOf);
}

/** Makes a provisioning machine active; undefined when it was not provisioning any more. */
export async function activateMachine(
  tx: Tx,
  { machineId }: Machine,
  now: Date,
): Promise<Machine | undefined> {
  const rows = await tx.query<MachineRow>(
    `update machines set state = 'active', activated_at = $2
      where machine_id = $1 and state = 'provisioning'
      returning ${machineColumns}`,
    [machineId, now],
  );
  return rows.map(machineOf)[0];
}

/** Sets the state of machines that the transaction has locked. */
export async function setMachineStates(
  tx: Tx,
  machineIds: readonly string[],
  state: StoredState,
): Promise<void> {
  await tx.query("update machines set state = $2 where machine_id = any($1::text[])", [
    machineIds,
    state,
  ]);
}

/** Converts a row. */
export function machineOf(row: MachineRow): Machine {
  return {
    machineId: row.machine_id,
    vaultId: row.vault_id,
    tokenId: row.token_id,
    publicKey: row.public_key,
    name: row.name,
    hostname: row.hostname,
    state: row.state,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    activatedAt: row.activated_at,
  };
}
