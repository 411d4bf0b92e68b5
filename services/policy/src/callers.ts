import type { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import type { AuthorizationService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import type { DirectoryService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/directory_pb.ts";
import type { RoleService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/role_pb.ts";
import type { ScopeService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import type { Callers } from "@sallyport/rpc";

/** Who may ask for decisions; secrets for a listing only, which createAuthorization sees to. */
export const authorizationCallers: Callers<typeof AuthorizationService> = {
  authorize: ["gateway", "secrets"],
};

/** Who may give machines their scope and stop them. */
export const scopeCallers: Callers<typeof ScopeService> = {
  validateScope: ["identity"],
  applyScope: ["identity"],
  setPrincipalStatus: ["identity"],
  revokePrincipals: ["identity"],
};

/** Who may ask for users' roles in projects, and end users. */
export const roleCallers: Callers<typeof RoleService> = {
  checkRoles: ["secrets"],
  listRoles: ["secrets", "identity"],
  endUser: ["identity"],
};

/** Who may make ids known, hide them and show them again. */
export const directoryCallers: Callers<typeof DirectoryService> = {
  registerResources: ["secrets"],
  retireResources: ["secrets"],
  reinstateResources: ["secrets"],
};

/** Who may hand over public requests. */
export const forwardCallers: Callers<typeof ForwardService> = { forward: ["gateway"] };
