import type { Database, Tx } from "@sallyport/postgres";
import { type Standing, standingAfter } from "../standing.ts";
import { lockMachines, lockProjects } from "../store/locks.ts";
import { projectsOf } from "../store/memberships.ts";
import { setStanding } from "../store/principals.ts";
import { removeSomeRights } from "../store/removals.ts";

// So few that others wait for one of the machines only shortly.
const machinesAtOnce = 50;

/**
 * Tells machines their standing, all in one transaction; from its commit on they are refused or let
 * in. Returns those of which it now holds: not the ones that the vault does not have, or that would
 * come back from their end.
 */
export async function changeStanding(
  database: Pick<Database, "transaction">,
  vaultId: string,
  machineIds: readonly string[],
  told: Standing,
): Promise<string[]> {
  return database.transaction(async (tx) => {
    const machines = [...(await lockMachines(tx, vaultId, machineIds))].map(([machineId, now]) => ({
      machineId,
      now,
      after: standingAfter(now, told),
    }));
    const willing = machines.filter(({ after }) => after !== undefined);
    const changing = willing
      .filter(({ now, after }) => now !== after)
      .map(({ machineId }) => machineId);
    if (changing.length > 0) await setStanding(tx, vaultId, changing, told);
    return willing.map(({ machineId }) => machineId);
  });
}

/**
 * Takes every membership and grant of machines that have ended, in transactions of bounded size:
 * they are refused already and are given nothing any more, so it does not matter who sees what is
 * left meanwhile.
 */
export async function takeRights(
  database: Pick<Database, "transaction">,
  vaultId: string,
  machineIds: readonly string[],
): Promise<void> {
  for (let start = 0; start < machineIds.length; start += machinesAtOnce) {
    const group = machineIds.slice(start, start + machinesAtOnce);
    while (await database.transaction((tx) => takeSome(tx, vaultId, group)));
  }
}

async function takeSome(tx: Tx, vaultId: string, machineIds: readonly string[]): Promise<boolean> {
  await lockMachines(tx, vaultId, machineIds);
  await lockProjects(tx, vaultId, await projectsOf(tx, vaultId, machineIds));
  return removeSomeRights(tx, "machines", vaultId, machineIds);
}
