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
import { SealingService } from "@sallyport/proto/gen/sallyport/policy/v1/sealing_pb.ts";
import { fail } from "@sallyport/rpc";
import { findSecrets } from "../store/directory.ts";
import {
  type Requirement,
  findVaultSealing,
  listSealedSecrets,
  setSecretSealing,
  setVaultSealing,
} from "../store/sealing.ts";
import { requireProject } from "./checks.ts";
import type { PublicParts } from "./records.ts";
import { holdRole, holdUser } from "./rights.ts";

/** SealingService. Everything outside the caller's vault is not found. */
export function sealingMethods(parts: PublicParts): ForwardMethods {
  const { database } = parts;
  return forwardMethods(SealingService, {
    setVaultSealing: async (context, { required }) => ({
      sealing: shown(await context.mutate((tx) => setOfVault(tx, context, required, parts))),
    }),
    getVaultSealing: async (context) => ({
      sealing: shown(await findVaultSealing(database, callerOf(context).vaultId)),
    }),
    setSecretSealing: async (context, request) => ({
      vaultRequired: await context.mutate((tx) => setOfSecret(tx, context, request, parts)),
    }),
    listSealedSecrets: async (context, { projectId, pageSize, pageToken }) => {
      const { vaultId } = callerOf(context);
      if (projectId !== "") await requireProject(database, vaultId, projectId);
      const found = { after: pageToken, limit: pageLimit(pageSize) + 1 };
      const page = pageOf(await listSealedSecrets(database, vaultId, projectId, found), pageSize);
      const secrets = page.items.map(({ createdAt, ...secret }) => ({
        ...secret,
        createdAt: timestampFromDate(createdAt),
      }));
      return { secrets, nextPageToken: page.last?.secretId ?? "" };
    },
  });
}

async function setOfVault(
  tx: Tx,
  context: ForwardContext,
  required: boolean,
  { outbox, clock }: PublicParts,
): Promise<Requirement | undefined> {
  const { userId, vaultId } = callerOf(context);
  const at = new Date(clock());
  await holdUser(tx, context);
  if (await setVaultSealing(tx, { vaultId, createdBy: userId, at }, required)) {
    const record = { ...recordOf(context, at), detail: { required: String(required) } };
    await outbox.record(tx, newEvent("policy", "vault.sealing_required", record));
  }
  return findVaultSealing(tx, vaultId);
}

// Returns whether the vault requires it of every secret.
async function setOfSecret(
  tx: Tx,
  context: ForwardContext,
  { secretId, required }: { readonly secretId: string; readonly required: boolean },
  { outbox, clock }: PublicParts,
): Promise<boolean> {
  const { userId, vaultId } = callerOf(context);
  const at = new Date(clock());
  await holdRole(tx, context, { secretId }, "secret_id");
  const projectId = (await findSecrets(tx, vaultId, [secretId])).get(secretId);
  if (projectId === undefined) throw fail(Reason.NOT_FOUND, { field: "secret_id" });
  const place = { secretId, projectId };
  if (await setSecretSealing(tx, { vaultId, createdBy: userId, at }, place, required)) {
    const detail = { required: String(required) };
    const record = { ...recordOf(context, at), ...place, detail };
    await outbox.record(tx, newEvent("policy", "secret.sealing_required", record));
  }
  return (await findVaultSealing(tx, vaultId)) !== undefined;
}

function shown(requirement: Requirement | undefined) {
  if (!requirement) return { required: false };
  const { createdAt, createdBy } = requirement;
  return { required: true, createdAt: timestampFromDate(createdAt), createdBy };
}
