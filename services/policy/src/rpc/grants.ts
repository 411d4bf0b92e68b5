import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type ForwardMethods, forwardMethods } from "@sallyport/evidence";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { fail } from "@sallyport/rpc";
import { pageLimit, pageOf } from "../page.ts";
import { type StoredGrant, listGrantsOfMachine, listGrantsOfSecret } from "../store/grants.ts";
import { isPrincipal } from "../store/principals.ts";
import { addGrant, removeGrant } from "./grant-changes.ts";
import { type PublicParts, callerOf, requireSecret } from "./records.ts";

/** GrantService. Everything outside the caller's vault is not found. */
export function grantMethods(parts: PublicParts): ForwardMethods {
  return forwardMethods(GrantService, {
    addGrant: async (context, request) => {
      const grant = await context.mutate((tx) => addGrant(tx, context, request, parts));
      return { grant: shown(grant) };
    },
    removeGrant: async (context, request) => {
      await context.mutate((tx) => removeGrant(tx, context, request, parts));
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

function shown({ createdAt, ...grant }: StoredGrant) {
  return { ...grant, createdAt: timestampFromDate(createdAt) };
}
