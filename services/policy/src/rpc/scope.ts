import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Outbox } from "@sallyport/outbox";
import type { Database, Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  type ApplyScopeRequest,
  PrincipalStatus,
  type ScopeService,
} from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { fail } from "@sallyport/rpc";
import { type Standing, isEnded } from "../standing.ts";
import { findProjects, findSecrets, placesOf } from "../store/directory.ts";
import { addGrants } from "../store/grants.ts";
import { lockProjects } from "../store/locks.ts";
import { addMemberships } from "../store/memberships.ts";
import { addPrincipal } from "../store/principals.ts";
import { changeStanding, takeRights } from "./standing-changes.ts";

/** What the scope service needs; the clock is in milliseconds. */
export type ScopeParts = {
  readonly database: Database;
  readonly outbox: Pick<Outbox, "record" | "drain">;
  readonly clock: () => number;
};

type Scope = Pick<ApplyScopeRequest, "vaultId" | "projectIds" | "secretIds">;

/** Gives machines their scope and stops them, for identity. Every answer comes after the commit and its records. */
export function createScope({ database, outbox, clock }: ScopeParts): ServiceImpl<typeof ScopeService> {
  return {
    async validateScope(request) {
      await validateScope(database, request);
      return {};
    },
    async applyScope(request) {
      await outbox.drain();
      await database.transaction((tx) => applyScope(tx, request, new Date(clock()), outbox));
      await outbox.drain();
      return {};
    },
    async setPrincipalStatus({ vaultId, machineId, status }) {
      const told = standingOf(status);
      const changed = await changeStanding(database, vaultId, [machineId], told);
      if (changed.length === 0) throw fail(Reason.NOT_FOUND, { field: "machine_id" });
      if (isEnded(told)) await takeRights(database, vaultId, changed);
      return {};
    },
    async revokePrincipals({ vaultId, machineIds, status }) {
      const ended = await changeStanding(database, vaultId, machineIds, standingOf(status));
      await takeRights(database, vaultId, ended);
      return {};
    },
  };
}

// What the maker of a token may put into it: all of it is there for everyone now.
async function validateScope(db: Tx, scope: Scope): Promise<void> {
  const projects = await findProjects(db, scope.vaultId, scope.projectIds);
  requireScope(scope, projects, await findSecrets(db, scope.vaultId, scope.secretIds));
}

function requireScope(
  { projectIds, secretIds }: Scope,
  projects: { has(projectId: string): boolean },
  secrets: ReadonlyMap<string, string>,
): void {
  if (!projectIds.every((id) => projects.has(id))) throw fail(Reason.NOT_FOUND, { field: "project_ids" });
  if (!secretIds.every((id) => secrets.has(id))) throw fail(Reason.NOT_FOUND, { field: "secret_ids" });
  if ([...secrets.values()].every((projectId) => projects.has(projectId))) return;
  throw fail(Reason.FIELD_INVALID, {
    field: "secret_ids",
    description: "a secret is in none of the projects",
  });
}

// The principal is made in the same transaction as its scope: a principal that is there has had its scope, whatever was
// taken from it since, and a repeat must not give that back.
async function applyScope(
  tx: Tx,
  request: ApplyScopeRequest,
  at: Date,
  outbox: Pick<Outbox, "record">,
): Promise<void> {
  const { vaultId, machineId, createdBy, tokenId, expiresAt, anyVersion } = request;
  if (!expiresAt) throw fail(Reason.FIELD_INVALID, { field: "expires_at", description: "is required" });
  const principal = { machineId, vaultId, tokenId, createdBy, expiresAt: timestampDate(expiresAt) };
  const added = await addPrincipal(tx, principal);
  if (added === "taken") throw fail(Reason.ALREADY_EXISTS, { field: "machine_id" });
  if (added === "known") return;
  const projects = await lockProjects(tx, vaultId, request.projectIds);
  const places = await placesOf(tx, vaultId, request.secretIds);
  requireScope(request, projects, new Map([...places].map(([id, { projectId }]) => [id, projectId])));
  const joining = request.projectIds.filter((id) => projects.get(id) !== "purged");
  const granting = { vaultId, machineId, createdBy, at, anyVersion };
  const time = timestampFromDate(at);
  const subject = { time, actorKind: ActorKind.USER, actorId: createdBy, vaultId, machineId };
  const joined = { ...subject, detail: { token_id: tokenId } };
  for (const { projectId } of await addMemberships(tx, granting, joining))
    await outbox.record(tx, newEvent("policy", "membership.added", { ...joined, projectId }));
  const granted = { ...subject, detail: { token_id: tokenId, any_version: String(anyVersion) } };
  for (const { projectId, secretId } of await addGrants(tx, granting, request.secretIds))
    await outbox.record(tx, newEvent("policy", "grant.added", { ...granted, projectId, secretId }));
}

function standingOf(status: PrincipalStatus): Standing {
  switch (status) {
    case PrincipalStatus.ACTIVE:
      return "active";
    case PrincipalStatus.DISABLED:
      return "disabled";
    case PrincipalStatus.REVOKED:
      return "revoked";
    case PrincipalStatus.EXPIRED:
      return "expired";
    case PrincipalStatus.UNSPECIFIED:
    default:
      throw fail(Reason.FIELD_INVALID, { field: "status", description: "is not a status" });
  }
}
