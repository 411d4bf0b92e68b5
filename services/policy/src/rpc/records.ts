import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ForwardContext } from "@sallyport/evidence";
import type { Outbox } from "@sallyport/outbox";
import type { Tx } from "@sallyport/postgres";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";
import { isEnded } from "../standing.ts";
import { findProjects, findSecrets } from "../store/directory.ts";
import { lockMachines, lockProjects } from "../store/locks.ts";
import { isPrincipal } from "../store/principals.ts";

/** What the public methods of policy need; the clock is in milliseconds. */
export type PublicParts = {
  readonly database: Tx;
  readonly outbox: Pick<Outbox, "record">;
  readonly clock: () => number;
};

/** The user who asks and the vault that bounds everything he may touch. */
export type Caller = { readonly userId: string; readonly vaultId: string };

/** Returns the user behind a forwarded request. The role table admits only users to these methods. */
export function callerOf({ principal }: ForwardContext): Caller {
  if (!principal) throw fail(Reason.ROLE_REQUIRED);
  return { userId: principal.id, vaultId: principal.vaultId };
}

/** The fields that every record of a forwarded change has. */
export function recordOf(context: ForwardContext, at: Date) {
  const { userId, vaultId } = callerOf(context);
  return {
    time: timestampFromDate(at),
    actorKind: ActorKind.USER,
    actorId: userId,
    vaultId,
    sourceIp: context.sourceIp,
    client: context.client,
    requestDigest: context.requestDigest,
  };
}

/** Locks the machine for a change of what it has. Throws Failure NOT_FOUND when the vault has it not, or it has ended. */
export async function lockMachine(tx: Tx, vaultId: string, machineId: string): Promise<void> {
  const standing = (await lockMachines(tx, vaultId, [machineId])).get(machineId);
  if (standing === undefined || isEnded(standing)) throw fail(Reason.NOT_FOUND, { field: "machine_id" });
}

/** Keeps the project from being purged during a change. Throws Failure NOT_FOUND unless the vault has and shows it. */
export async function lockProject(tx: Tx, vaultId: string, projectId: string): Promise<void> {
  const state = (await lockProjects(tx, vaultId, [projectId])).get(projectId);
  if (state !== "live") throw fail(Reason.NOT_FOUND, { field: "project_id" });
}

/** Throws Failure NOT_FOUND unless the vault has or had the machine. */
export async function requireMachine(db: Tx, vaultId: string, machineId: string): Promise<void> {
  if (!(await isPrincipal(db, vaultId, machineId))) throw fail(Reason.NOT_FOUND, { field: "machine_id" });
}

/** Throws Failure NOT_FOUND unless the vault has and shows the project. */
export async function requireProject(db: Tx, vaultId: string, projectId: string): Promise<void> {
  const known = await findProjects(db, vaultId, [projectId]);
  if (!known.has(projectId)) throw fail(Reason.NOT_FOUND, { field: "project_id" });
}

/** Throws Failure NOT_FOUND unless the vault has and shows the secret. */
export async function requireSecret(db: Tx, vaultId: string, secretId: string): Promise<void> {
  const known = await findSecrets(db, vaultId, [secretId]);
  if (!known.has(secretId)) throw fail(Reason.NOT_FOUND, { field: "secret_id" });
}
