import type { ServiceImpl } from "@connectrpc/connect";
import { projectRoleOf } from "@sallyport/roles";
import type { Database } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import type { RoleService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/role_pb.ts";
import { fail } from "@sallyport/rpc";
import { lockUsers } from "../store/locks.ts";
import { endUser, hasEnded, listRolesOf } from "../store/project-roles.ts";
import { mostRoles } from "./project-role-changes.ts";
import { rolesIn } from "./rights.ts";

/** Dependencies of the role service: `decisions` is the same database, for queries only. */
export type RoleParts = {
  readonly database: Pick<Database, "transaction">;
  readonly decisions: Pick<Database, "query">;
};

/**
 * Tells the owners of what belongs to projects which role a user has there (proto/README.md,
 * "Roles").
 */
export function createRoles({ database, decisions }: RoleParts): ServiceImpl<typeof RoleService> {
  return {
    async checkRoles({ projectIds, secretIds, ...user }) {
      const { projects, secrets } = await rolesIn(decisions, user, projectIds, secretIds);
      return { projectRoles: projects, secretRoles: secrets };
    },
    async listRoles(user) {
      if (await hasEnded(decisions, user)) throw fail(Reason.MACHINE_DISABLED);
      if (user.role !== Role.DEVELOPER) return { roles: [] };
      const given = await listRolesOf(decisions, user, {
        after: "",
        limit: mostRoles,
        scope: "all",
      });
      const roleOf = (role: (typeof given)[number]["role"]) => projectRoleOf(user.role, role);
      return { roles: given.map(({ projectId, role }) => ({ projectId, role: roleOf(role) })) };
    },
    async endUser({ vaultId, userId }) {
      await database.transaction(async (tx) => {
        await lockUsers(tx, vaultId, { changed: userId });
        await endUser(tx, { vaultId, userId });
      });
      return {};
    },
  };
}
