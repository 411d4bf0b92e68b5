import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { projectRoleOf } from "@sallyport/roles";
import type { Outbox } from "@sallyport/outbox";
import type { Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type {
  ApplyScopeRequest,
  ValidateScopeRequest,
} from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { ProjectRole } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { fail } from "@sallyport/rpc";
import { findProjects, findSecrets, placesOf } from "../store/directory.ts";
import { type StoredGrant, addGrants } from "../store/grants.ts";
import { lockProjects, lockUsers } from "../store/locks.ts";
import { type StoredMembership, addMemberships } from "../store/memberships.ts";
import { addPrincipal } from "../store/principals.ts";
import { findGiven, hasEnded } from "../store/project-roles.ts";
import { rolesIn } from "./rights.ts";

type Scope = Pick<ApplyScopeRequest, "vaultId" | "projectIds" | "secretIds">;

/**
 * Checks what goes into a token: all of it is there for its maker now. Returns the maker's roles in
 * the projects. Throws Failure NOT_FOUND, FIELD_INVALID or MACHINE_DISABLED.
 */
export async function validateScope(db: Tx, scope: ValidateScopeRequest): Promise<ProjectRole[]> {
  const { vaultId, projectIds, secretIds } = scope;
  const roles = await rolesIn(db, scope, projectIds, secretIds);
  const isShown = (ids: readonly string[], inProjects: readonly ProjectRole[]) => (id: string) =>
    (inProjects[ids.indexOf(id)] ?? ProjectRole.NONE) >= ProjectRole.LISTER;
  const projects = await findProjects(
    db,
    vaultId,
    projectIds.filter(isShown(projectIds, roles.projects)),
  );
  const shown = secretIds.filter(isShown(secretIds, roles.secrets));
  requireScope(scope, projects, await findSecrets(db, vaultId, shown));
  return roles.projects;
}

function requireScope(
  { projectIds, secretIds }: Scope,
  projects: { has(projectId: string): boolean },
  secrets: ReadonlyMap<string, string>,
): void {
  if (!projectIds.every((id) => projects.has(id)))
    throw fail(Reason.NOT_FOUND, { field: "project_ids" });
  if (!secretIds.every((id) => secrets.has(id)))
    throw fail(Reason.NOT_FOUND, { field: "secret_ids" });
  if ([...secrets.values()].every((projectId) => projects.has(projectId))) return;
  throw fail(Reason.FIELD_INVALID, {
    field: "secret_ids",
    description: "a secret is in none of the projects",
  });
}

/**
 * Makes a machine known and gives it its scope. A machine that is there has had its scope, whatever
 * was taken from it since, and a repeat must not give that back. Throws Failure NOT_FOUND,
 * FIELD_INVALID or ALREADY_EXISTS.
 */
export async function applyScope(
  tx: Tx,
  request: ApplyScopeRequest,
  at: Date,
  outbox: Pick<Outbox, "record">,
): Promise<void> {
  const { vaultId, machineId, createdBy, tokenId, expiresAt, anyVersion } = request;
  if (!expiresAt)
    throw fail(Reason.FIELD_INVALID, { field: "expires_at", description: "is required" });
  await lockUsers(tx, vaultId, { acting: createdBy });
  const principal = { machineId, vaultId, tokenId, createdBy, expiresAt: timestampDate(expiresAt) };
  const added = await addPrincipal(tx, principal);
  if (added === "taken") throw fail(Reason.ALREADY_EXISTS, { field: "machine_id" });
  if (added === "known") return;
  const projectIds = await grantable(tx, request, await lockScope(tx, request));
  const granting = { vaultId, machineId, createdBy, at, anyVersion };
  const memberships = await addMemberships(tx, granting, projectIds);
  const grants = await addGrants(tx, granting, request.secretIds);
  await outbox.record(tx, ...memberships.map((membership) => joined(request, at, membership)));
  await outbox.record(tx, ...grants.map((grant) => granted(request, at, grant)));
}

// Returns the projects that are left to join. A token outlives single parts of its scope: what was
// retired is given as hidden as it is for everyone, what was purged is left out.
async function lockScope(tx: Tx, scope: Scope): Promise<string[]> {
  const projects = await lockProjects(tx, scope.vaultId, scope.projectIds);
  const places = await placesOf(tx, scope.vaultId, scope.secretIds);
  requireScope(scope, projects, new Map([...places].map(([id, { projectId }]) => [id, projectId])));
  return scope.projectIds.filter((id) => projects.get(id) !== "purged");
}

// The projects that the token's maker could give machines now: a maker who lost that right
// gives no machine anything more.
async function grantable(
  tx: Tx,
  { vaultId, createdBy: userId, createdByRole }: ApplyScopeRequest,
  projectIds: readonly string[],
): Promise<string[]> {
  const maker = { vaultId, userId };
  if (await hasEnded(tx, maker)) return [];
  const given = await findGiven(tx, maker, projectIds, []);
  return projectIds.filter(
    (id) => projectRoleOf(createdByRole, given.get(id)) >= ProjectRole.MANAGER,
  );
}

function joined(request: ApplyScopeRequest, at: Date, { projectId }: StoredMembership) {
  const detail = originOf(request);
  return newEvent("policy", "membership.added", { ...subjectOf(request, at), projectId, detail });
}

function granted(
  request: ApplyScopeRequest,
  at: Date,
  { projectId, secretId, anyVersion }: StoredGrant,
) {
  const detail = { ...originOf(request), any_version: String(anyVersion) };
  return newEvent("policy", "grant.added", {
    ...subjectOf(request, at),
    projectId,
    secretId,
    detail,
  });
}

// A machine that no token made names none.
function originOf({ tokenId }: ApplyScopeRequest): { readonly token_id?: string } {
  return tokenId === "" ? {} : { token_id: tokenId };
}

function subjectOf({ vaultId, machineId, createdBy, tokenId }: ApplyScopeRequest, at: Date) {
  const time = timestampFromDate(at);
  const actor = { actorKind: ActorKind.USER, actorId: createdBy };
  return { time, ...actor, vaultId, machineId, originId: tokenId };
}
