import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type ForwardMethods, forwardMethods } from "@sallyport/forward";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { evaluate } from "../evaluate.ts";
import { pageLimit, pageOf } from "../page.ts";
import {
  type ListedGrant,
  countGrantsOf,
  listGrantsOfMachine,
  listGrantsOfSecret,
} from "../store/grant-lists.ts";
import { requireMachine, requireProject, requireSecret } from "./checks.ts";
import { addGrant, removeGrant, setGrants } from "./grant-changes.ts";
import { type PublicParts, callerOf } from "./records.ts";
import { requireRole } from "./rights.ts";

/** GrantService. Everything outside the caller's vault is not found. */
export function grantMethods(parts: PublicParts): ForwardMethods {
  const { database, clock } = parts;
  return forwardMethods(GrantService, {
    addGrant: async (context, request) => {
      const grant = await context.mutate((tx) => addGrant(tx, context, request, parts));
      return { grant: shown(grant, clock()) };
    },
    removeGrant: async (context, request) => {
      await context.mutate((tx) => removeGrant(tx, context, request, parts));
      return {};
    },
    setGrants: async (context, request) => {
      const { grants, ...counts } = await context.mutate((tx) =>
        setGrants(tx, context, request, parts),
      );
      return { ...counts, grants: allShown(grants, clock()) };
    },
    listGrantsByMachine: async (context, { machineId, projectId, pageSize, pageToken }) => {
      const { vaultId } = callerOf(context);
      await requireMachine(database, vaultId, machineId);
      if (projectId !== "") await requireProject(database, vaultId, projectId);
      const found = { after: pageToken, limit: pageLimit(pageSize) + 1 };
      const rows = await listGrantsOfMachine(database, vaultId, { machineId, projectId }, found);
      const page = pageOf(rows, pageSize);
      return { grants: allShown(page.items, clock()), nextPageToken: page.last?.secretId ?? "" };
    },
    listGrantsBySecret: async (context, { secretId, pageSize, pageToken }) => {
      const { vaultId } = callerOf(context);
      await requireRole(database, context, { secretId }, "secret_id");
      await requireSecret(database, vaultId, secretId);
      const found = { after: pageToken, limit: pageLimit(pageSize) + 1 };
      const page = pageOf(await listGrantsOfSecret(database, vaultId, secretId, found), pageSize);
      return { grants: allShown(page.items, clock()), nextPageToken: page.last?.machineId ?? "" };
    },
    countGrants: async (context, { machineIds }) => {
      return { counts: await countGrantsOf(database, callerOf(context).vaultId, machineIds) };
    },
  });
}

function allShown(grants: readonly ListedGrant[], nowMs: number) {
  return grants.map((grant) => shown(grant, nowMs));
}

function shown({ createdAt, principal, member, ...grant }: ListedGrant, nowMs: number) {
  const rights = { member, granted: true, anyVersion: grant.anyVersion, sealedOnly: false };
  const refusal = evaluate({ principal, ...rights }, { namedVersion: false, sealed: true, nowMs });
  return { ...grant, createdAt: timestampFromDate(createdAt), refusal };
}
