import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type ForwardMethods,
  forwardMethods,
  pageLimit,
  pageOf,
  callerOf,
} from "@sallyport/forward";
import { ProjectRoleService } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import {
  type RoleScope,
  type StoredRole,
  type UserOf,
  countRolesOf,
  listRolesIn,
  listRolesOf,
} from "../store/project-roles.ts";
import { requireProject } from "./checks.ts";
import { removeProjectRole, setProjectRole } from "./project-role-changes.ts";
import type { PublicParts } from "./records.ts";
import { requireRole } from "./rights.ts";

type Paged = { readonly pageSize: number; readonly pageToken: string };

/**
 * ProjectRoleService. Everything outside the caller's vault, and what is hidden from the caller, is
 * not found.
 */
export function projectRoleMethods(parts: PublicParts): ForwardMethods {
  const { database } = parts;
  return forwardMethods(ProjectRoleService, {
    setProjectRole: async (context, request) => {
      const stored = await context.mutate((tx) => setProjectRole(tx, context, request, parts));
      return { projectRole: shown(stored) };
    },
    removeProjectRole: async (context, request) => {
      await context.mutate((tx) => removeProjectRole(tx, context, request, parts));
      return {};
    },
    listProjectRoles: async (context, { projectId, pageSize, pageToken }) => {
      const { vaultId } = callerOf(context);
      await requireRole(database, context, { projectId }, "project_id");
      await requireProject(database, vaultId, projectId);
      const found = { after: pageToken, limit: pageLimit(pageSize) + 1 };
      const page = pageOf(await listRolesIn(database, vaultId, projectId, found), pageSize);
      return { projectRoles: page.items.map(shown), nextPageToken: page.last?.userId ?? "" };
    },
    listProjectRolesByUser: (context, { userId, ...page }) =>
      listOf(parts, { vaultId: callerOf(context).vaultId, userId }, "living", page),
    listOwnProjectRoles: (context, page) => listOf(parts, callerOf(context), "shown", page),
    countProjectRoles: async (context, { userIds }) => {
      return { counts: await countRolesOf(database, callerOf(context).vaultId, userIds) };
    },
  });
}

async function listOf(
  { database }: PublicParts,
  user: UserOf,
  scope: RoleScope,
  { pageSize, pageToken }: Paged,
) {
  const found = { after: pageToken, limit: pageLimit(pageSize) + 1, scope };
  const page = pageOf(await listRolesOf(database, user, found), pageSize);
  return { projectRoles: page.items.map(shown), nextPageToken: page.last?.projectId ?? "" };
}

function shown({ updatedAt, ...stored }: StoredRole) {
  return { ...stored, updatedAt: timestampFromDate(updatedAt) };
}
