import type { Tx } from "@sallyport/postgres";
import type { Machine } from "./store.ts";

/** A name that a machine had. */
export type FormerName = {
  readonly name: string;
  readonly until: Date;
  readonly changedBy: string;
};

type FormerNameRow = { machine_id: string; name: string; until: Date; changed_by: string };

/** The most former names that are returned, the newest ones. */
const mostFormer = 20;

/** Gives a machine that the transaction has locked another name, and keeps the one it had. */
export async function renameMachine(
  tx: Tx,
  { machineId, name }: Machine,
  newName: string,
  changedBy: string,
  now: Date,
): Promise<void> {
  await tx.query("update machines set name = $2 where machine_id = $1", [machineId, newName]);
  await tx.query(
    "insert into machine_names (machine_id, name, until, changed_by) values ($1, $2, $3, $4)",
    [machineId, name, now, changedBy],
  );
}

/** The former names of machines, newest first, by machine. */
export async function findFormerNames(
  db: Tx,
  machineIds: readonly string[],
): Promise<Map<string, FormerName[]>> {
  if (machineIds.length === 0) return new Map();
  const rows = await db.query<FormerNameRow>(
    `select machine_id, name, until, changed_by from (
       select *, row_number() over (partition by machine_id order by change_id desc) as rank
         from machine_names where machine_id = any($1::text[])) as newest
      where rank <= $2
      order by change_id desc`,
    [machineIds, mostFormer],
  );
  const byMachine = new Map<string, FormerName[]>();
  for (const { machine_id, name, until, changed_by } of rows)
    byMachine.set(machine_id, [
      ...(byMachine.get(machine_id) ?? []),
      { name, until, changedBy: changed_by },
    ]);
  return byMachine;
}
