import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type ForwardContext,
  type ForwardMethods,
  forwardMethods,
  pageLimit,
  pageOf,
  callerOf,
  recordOf,
} from "@sallyport/forward";
import type { Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { MembershipService } from "@sallyport/proto/gen/sallyport/policy/v1/membership_pb.ts";
import { fail } from "@sallyport/rpc";
import { countGrants } from "../store/grants.ts";
import {
  type StoredMembership,
  addMemberships,
  findMembership,
  listMemberships,
  listMembershipsOfMachine,
  removeMembership,
} from "../store/memberships.ts";
import { lockMachines, lockProjects } from "../store/locks.ts";
import { lockMachine, lockProject, requireMachine, requireProject } from "./checks.ts";
import type { PublicParts } from "./records.ts";
import { holdRole, requireRole } from "./rights.ts";

type Named = { readonly machineId: string; readonly projectId: string };

/** MembershipService. Everything outside the caller's vault is not found. */
export function membershipMethods(parts: PublicParts): ForwardMethods {
  return forwardMethods(MembershipService, {
    addMembership: async (context, request) => {
      const membership = await context.mutate((tx) => join(tx, context, request, parts));
      return { membership: shown(membership) };
    },
    removeMembership: async (context, request) => {
      const grantsRemoved = await context.mutate((tx) => leave(tx, context, request, parts));
      return { grantsRemoved };
    },
    listMemberships: async (context, { projectId, pageSize, pageToken }) => {
      const { vaultId } = callerOf(context);
      await requireRole(parts.database, context, { projectId }, "project_id");
      await requireProject(parts.database, vaultId, projectId);
      const found = { after: pageToken, limit: pageLimit(pageSize) + 1 };
      const page = pageOf(
        await listMemberships(parts.database, vaultId, projectId, found),
        pageSize,
      );
      return { memberships: page.items.map(shown), nextPageToken: page.last?.machineId ?? "" };
    },
    listMembershipsByMachine: async (context, { machineId, pageSize, pageToken }) => {
      const { vaultId } = callerOf(context);
      await requireMachine(parts.database, vaultId, machineId);
      const found = { after: pageToken, limit: pageLimit(pageSize) + 1 };
      const rows = await listMembershipsOfMachine(parts.database, vaultId, machineId, found);
      const page = pageOf(rows, pageSize);
      return { memberships: page.items.map(shown), nextPageToken: page.last?.projectId ?? "" };
    },
  });
}

async function join(
  tx: Tx,
  context: ForwardContext,
  { machineId, projectId }: Named,
  { outbox, clock }: PublicParts,
): Promise<StoredMembership> {
  const { userId, vaultId } = callerOf(context);
  const at = new Date(clock());
  await holdRole(tx, context, { projectId }, "project_id");
  await lockMachine(tx, vaultId, machineId);
  await lockProject(tx, vaultId, projectId);
  const [added] = await addMemberships(tx, { vaultId, machineId, createdBy: userId, at }, [
    projectId,
  ]);
  if (added) {
    const record = { ...recordOf(context, at), machineId, projectId };
    await outbox.record(tx, newEvent("policy", "membership.added", record));
    return added;
  }
  const known = await findMembership(tx, vaultId, machineId, projectId);
  if (!known) throw fail(Reason.NOT_FOUND, { field: "membership" });
  return known;
}

async function leave(
  tx: Tx,
  context: ForwardContext,
  { machineId, projectId }: Named,
  { outbox, clock }: PublicParts,
): Promise<number> {
  const { vaultId } = callerOf(context);
  await holdRole(tx, context, { projectId }, "membership");
  await lockMachines(tx, vaultId, [machineId]);
  await lockProjects(tx, vaultId, [projectId]);
  const grants = await countGrants(tx, machineId, projectId);
  if (!(await removeMembership(tx, vaultId, machineId, projectId)))
    throw fail(Reason.NOT_FOUND, { field: "membership" });
  const record = {
    ...recordOf(context, new Date(clock())),
    machineId,
    projectId,
    detail: { grants: String(grants) },
  };
  await outbox.record(tx, newEvent("policy", "membership.removed", record));
  return grants;
}

function shown({ createdAt, ...membership }: StoredMembership) {
  return { ...membership, createdAt: timestampFromDate(createdAt) };
}
