import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type ForwardContext, type ForwardMethods, forwardMethods } from "@sallyport/evidence";
import type { Outbox } from "@sallyport/outbox";
import type { Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { fail } from "@sallyport/rpc";
import { pageLimit, pageOf } from "../page.ts";
import { findSecrets } from "../store/directory.ts";
import {
  type StoredGrant,
  addGrants,
  findGrant,
  listGrantsOfMachine,
  listGrantsOfSecret,
  removeGrant,
} from "../store/grants.ts";
import { isPrincipal, isUsablePrincipal } from "../store/principals.ts";
import { callerOf, recordOf } from "./records.ts";

/** What the public methods of policy need; the clock is in milliseconds. */
export type PublicParts = {
  readonly database: Tx;
  readonly outbox: Pick<Outbox, "record">;
  readonly clock: () => number;
};

type Named = { readonly machineId: string; readonly secretId: string };

/** GrantService. Everything outside the caller's vault is not found. */
export function grantMethods(parts: PublicParts): ForwardMethods {
  return forwardMethods(GrantService, {
    addGrant: async (context, request) => {
      const grant = await context.mutate((tx) => addGrant(tx, context, request, parts));
      return { grant: shown(grant) };
    },
    removeGrant: async (context, request) => {
      await context.mutate((tx) => takeGrant(tx, context, request, parts));
      return {};
    },
    listGrantsByMachine: async (context, { machineId, pageSize, pageToken }) => {
      const { vaultId } = callerOf(context);
      if (!(await isPrincipal(parts.database, vaultId, machineId)))
        throw fail(Reason.NOT_FOUND, { field: "machine_id" });
      const found = { after: pageToken, limit: pageLimit(pageSize) + 1 };
      const page = pageOf(await listGrantsOfMachine(parts.database, vaultId, machineId, found), pageSize);
      return { grants: page.items.map(shown), nextPageToken: page.last?.secretId ?? "" };
    },
    listGrantsBySecret: async (context, { secretId, pageSize, pageToken }) => {
      const { vaultId } = callerOf(context);
      await requireSecret(parts.database, vaultId, secretId);
      const found = { after: pageToken, limit: pageLimit(pageSize) + 1 };
      const page = pageOf(await listGrantsOfSecret(parts.database, vaultId, secretId, found), pageSize);
      return { grants: page.items.map(shown), nextPageToken: page.last?.machineId ?? "" };
    },
  });
}

async function addGrant(
  tx: Tx,
  context: ForwardContext,
  { machineId, secretId }: Named,
  { outbox, clock }: PublicParts,
): Promise<StoredGrant> {
  const { userId, vaultId } = callerOf(context);
  const at = new Date(clock());
  if (!(await isUsablePrincipal(tx, vaultId, machineId)))
    throw fail(Reason.NOT_FOUND, { field: "machine_id" });
  await requireSecret(tx, vaultId, secretId);
  const [added] = await addGrants(tx, { vaultId, machineId, createdBy: userId, at }, [secretId]);
  if (added) {
    const { projectId } = added;
    await outbox.record(
      tx,
      newEvent("policy", "grant.added", { ...recordOf(context, at), machineId, secretId, projectId }),
    );
    return added;
  }
  const known = await findGrant(tx, vaultId, machineId, secretId);
  if (!known) throw fail(Reason.NOT_FOUND, { field: "membership" });
  return known;
}

async function takeGrant(
  tx: Tx,
  context: ForwardContext,
  { machineId, secretId }: Named,
  { outbox, clock }: PublicParts,
): Promise<void> {
  const { vaultId } = callerOf(context);
  const removed = await removeGrant(tx, vaultId, machineId, secretId);
  if (!removed) throw fail(Reason.NOT_FOUND, { field: "grant" });
  const { projectId } = removed;
  const record = { ...recordOf(context, new Date(clock())), machineId, secretId, projectId };
  await outbox.record(tx, newEvent("policy", "grant.removed", record));
}

async function requireSecret(db: Tx, vaultId: string, secretId: string): Promise<void> {
  const known = await findSecrets(db, vaultId, [secretId]);
  if (!known.has(secretId)) throw fail(Reason.NOT_FOUND, { field: "secret_id" });
}

function shown({ createdAt, ...grant }: StoredGrant) {
  return { ...grant, createdAt: timestampFromDate(createdAt) };
}
