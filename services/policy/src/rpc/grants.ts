import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type ForwardMethods,
  forwardMethods,
  pageLimit,
  pageOf,
  callerOf,
} from "@sallyport/forward";
import { Purpose } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { toRefusal } from "@sallyport/rpc";
import { evaluate } from "../decision/evaluate.ts";
import {
  type ListedGrant,
  countGrantsOf,
  listGrantsOfMachine,
  listGrantsOfSecret,
} from "../store/grant-lists.ts";
import { requireMachine, requireProject, requireSecret } from "./checks.ts";
import { addGrant, removeGrant, setGrants } from "./grant-changes.ts";
import type { PublicParts } from "./records.ts";
import { requireRole } from "./rights.ts";

/** GrantService. Everything outside the caller's vault is not found. */
export function grantMethods(parts: PublicParts): ForwardMethods {
  const { database, clock } = parts;
  return forwardMethods(GrantService, {
    addGrant: async (context, request) => {
      const grant = await context.mutate((tx) => addGrant(tx, context, request, parts));
      return { grant: shown(grant, callerOf(context).vaultId, clock()) };
    },
    removeGrant: async (context, request) => {
      await context.mutate((tx) => removeGrant(tx, context, request, parts));
      return {};
    },
    setGrants: async (context, request) => {
      const { grants, ...counts } = await context.mutate((tx) =>
        setGrants(tx, context, request, parts),
      );
      return { ...counts, grants: allShown(grants, callerOf(context).vaultId, clock()) };
    },
    listGrantsByMachine: async (context, { machineId, projectId, pageSize, pageToken }) => {
      const { vaultId } = callerOf(context);
      await requireMachine(database, vaultId, machineId);
      if (projectId !== "") await requireProject(database, vaultId, projectId);
      const found = { after: pageToken, limit: pageLimit(pageSize) + 1 };
      const rows = await listGrantsOfMachine(database, vaultId, { machineId, projectId }, found);
      const page = pageOf(rows, pageSize);
      return {
        grants: allShown(page.items, vaultId, clock()),
        nextPageToken: page.last?.secretId ?? "",
      };
    },
    listGrantsBySecret: async (context, { secretId, pageSize, pageToken }) => {
      const { vaultId } = callerOf(context);
      await requireRole(database, context, { secretId }, "secret_id");
      await requireSecret(database, vaultId, secretId);
      const found = { after: pageToken, limit: pageLimit(pageSize) + 1 };
      const page = pageOf(await listGrantsOfSecret(database, vaultId, secretId, found), pageSize);
      return {
        grants: allShown(page.items, vaultId, clock()),
        nextPageToken: page.last?.machineId ?? "",
      };
    },
    countGrants: async (context, { machineIds }) => {
      return { counts: await countGrantsOf(database, callerOf(context).vaultId, machineIds) };
    },
  });
}

function allShown(grants: readonly ListedGrant[], vaultId: string, nowMs: number) {
  return grants.map((grant) => shown(grant, vaultId, nowMs));
}

// As a listing decides it: no request is under way that has an address or a credential.
function shown(
  { createdAt, principal, member, ...grant }: ListedGrant,
  vaultId: string,
  nowMs: number,
) {
  const { machineId, secretId, projectId, anyVersion } = grant;
  const facts = { secretId, principal, member, granted: true, anyVersion, sealedOnly: false };
  const request = { vaultId, machineId, projectId, ...currentVersion };
  const verdict = evaluate(facts, { request, nowMs });
  const listed = { ...grant, createdAt: timestampFromDate(createdAt) };
  return verdict.kind === "allow" ? listed : { ...listed, refusal: toRefusal(verdict.denials[0]) };
}

const currentVersion = { purpose: Purpose.LIST, sourceIp: "", requestedVersion: 0, sealed: true };
