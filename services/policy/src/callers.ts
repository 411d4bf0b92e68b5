import type { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import type { AuthorizationService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import type { DirectoryService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/directory_pb.ts";
import type { RoleService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/role_pb.ts";
import type { ScopeService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import type { Callers } from "@sallyport/rpc";

/** Callers of decisions; secrets for a listing only, which createAuthorization sees to. */
export const authorizationCallers: Callers<typeof AuthorizationService> = {
  authorize: ["gateway", "secrets"],
};

/** Callers that give machines their scope and stop them. */
export const scopeCallers: Callers<typeof ScopeService> = {
  validateScope: ["identity"],
  applyScope: ["identity"],
  setPrincipalStatus: ["identity"],
  revokePrincipals: ["identity"],
};

/** Callers that read users' roles in projects, and end users. */
export const roleCallers: Callers<typeof RoleService> = {
  checkRoles: ["secrets"],
  listRoles: ["secrets", "identity"],
  endUser: ["identity"],
};

/** Callers that register ids, hide them and show them again. */
export const directoryCallers: Callers<typeof DirectoryService> = {
  registerResources: ["secrets"],
  retireResources: ["secrets"],
  reinstateResources: ["secrets"],
};

/** Callers that forward public requests. */
export const forwardCallers: Callers<typeof ForwardService> = { forward: ["gateway"] };
