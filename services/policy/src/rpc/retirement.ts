import type { Database, Tx } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";
import { type State, placesOf } from "../store/directory.ts";
import { claimProjects } from "../store/locks.ts";
import { removeSomeRights } from "../store/removals.ts";
import { lockStates, setState } from "../store/states.ts";

/** Projects and secrets of one vault. */
export type Resources = {
  readonly vaultId: string;
  readonly projectIds: readonly string[];
  readonly secretIds: readonly string[];
};

type Transactions = Pick<Database, "transaction">;

/**
 * Hides what is shown; what is unknown or purged is passed over. It waits for nobody who grants
 * meanwhile.
 */
export async function hide(database: Transactions, resources: Resources): Promise<void> {
  await database.transaction((tx) => change(tx, resources, ["live"], "retired"));
}

/**
 * Shows what is hidden for now. Throws Failure NOT_FOUND when anything is unknown or purged; then
 * nothing is shown.
 */
export async function show(database: Transactions, resources: Resources): Promise<void> {
  await database.transaction(async (tx) => {
    const { projects, secrets } = await change(tx, resources, ["retired"], "live");
    if (!areUsable(projects, resources.projectIds))
      throw fail(Reason.NOT_FOUND, { field: "project_ids" });
    if (!areUsable(secrets, resources.secretIds))
      throw fail(Reason.NOT_FOUND, { field: "secret_ids" });
  });
}

/**
 * Hides permanently, all in one transaction, then removes the grants and memberships, in
 * transactions of bounded size. A concurrent grant either committed before, or finds nothing to
 * grant; so nothing is left.
 */
export async function purge(database: Transactions, resources: Resources): Promise<void> {
  await database.transaction(async (tx) => {
    await claim(tx, resources);
    await change(tx, resources, ["live", "retired"], "purged");
  });
  while (await database.transaction((tx) => takeSome(tx, resources)));
}

async function takeSome(tx: Tx, resources: Resources): Promise<boolean> {
  await claim(tx, resources);
  const { vaultId, projectIds, secretIds } = resources;
  if (await removeSomeRights(tx, "secrets", vaultId, secretIds)) return true;
  return removeSomeRights(tx, "projects", vaultId, projectIds);
}

async function claim(tx: Tx, { vaultId, projectIds, secretIds }: Resources): Promise<void> {
  const places = await placesOf(tx, vaultId, secretIds);
  const parents = [...places.values()].map(({ projectId }) => projectId);
  await claimProjects(tx, vaultId, [...projectIds, ...parents]);
}

// Changes those whose state is one of `from` and returns the states that all had.
async function change(
  tx: Tx,
  { vaultId, projectIds, secretIds }: Resources,
  from: readonly State[],
  to: State,
): Promise<{ projects: ReadonlyMap<string, State>; secrets: ReadonlyMap<string, State> }> {
  const idsToChange = (states: ReadonlyMap<string, State>) =>
    [...states].filter(([, state]) => from.includes(state)).map(([id]) => id);
  const projects = await lockStates(tx, "project", vaultId, projectIds);
  await setState(tx, "project", vaultId, idsToChange(projects), to);
  const secrets = await lockStates(tx, "secret", vaultId, secretIds);
  await setState(tx, "secret", vaultId, idsToChange(secrets), to);
  return { projects, secrets };
}

function areUsable(states: ReadonlyMap<string, State>, ids: readonly string[]): boolean {
  return ids.every((id) => states.has(id) && states.get(id) !== "purged");
}
