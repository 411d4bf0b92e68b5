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
import type { Principal } from "../evaluate.ts";
import { findProjects, findSecrets } from "../store/directory.ts";
import { addGrants } from "../store/grants.ts";
import { addMemberships, removeAllMemberships } from "../store/memberships.ts";
import { addPrincipal, setStatus } from "../store/principals.ts";

/** What the scope service needs; the clock is in milliseconds. */
export type ScopeParts = {
  readonly database: Database;
  readonly outbox: Pick<Outbox, "ready" | "record" | "drain">;
  readonly clock: () => number;
};

type Scope = Pick<ApplyScopeRequest, "vaultId" | "projectIds" | "secretIds">;

/** Gives machines their scope and stops them, for identity. Every answer comes after the commit and its records. */
export function createScope({ database, outbox, clock }: ScopeParts): ServiceImpl<typeof ScopeService> {
  return {
    async validateScope(request) {
      await requireScope(database, request);
      return {};
    },
    async applyScope(request) {
      await outbox.ready();
      const own = await database.transaction(async (tx) => {
        await applyScope(tx, request, new Date(clock()), outbox);
        return tx;
      });
      await outbox.drain(own);
      return {};
    },
    async setPrincipalStatus({ vaultId, machineId, status }) {
      const stored = storedStatus(status);
      await database.transaction(async (tx) => {
        if (!(await setStatus(tx, vaultId, machineId, stored)))
          throw fail(Reason.NOT_FOUND, { field: "machine_id" });
        if (stored === "revoked") await removeAllMemberships(tx, vaultId, machineId);
      });
      return {};
    },
  };
}

async function requireScope(db: Tx, { vaultId, projectIds, secretIds }: Scope): Promise<void> {
  const projects = await findProjects(db, vaultId, projectIds);
  if (!projectIds.every((id) => projects.has(id))) throw fail(Reason.NOT_FOUND, { field: "project_ids" });
  const secrets = await findSecrets(db, vaultId, secretIds);
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
  const { vaultId, machineId, createdBy, tokenId, expiresAt } = request;
  if (!expiresAt) throw fail(Reason.FIELD_INVALID, { field: "expires_at", description: "is required" });
  const principal = { machineId, vaultId, tokenId, createdBy, expiresAt: timestampDate(expiresAt) };
  const added = await addPrincipal(tx, principal);
  if (added === "taken") throw fail(Reason.ALREADY_EXISTS, { field: "machine_id" });
  if (added === "known") return;
  await requireScope(tx, request);
  const assignment = { vaultId, machineId, createdBy, at };
  const time = timestampFromDate(at);
  const actor = { time, actorKind: ActorKind.USER, actorId: createdBy };
  const subject = { ...actor, vaultId, machineId, detail: { token_id: tokenId } };
  for (const { projectId } of await addMemberships(tx, assignment, request.projectIds))
    await outbox.record(tx, newEvent("policy", "membership.added", { ...subject, projectId }));
  for (const { projectId, secretId } of await addGrants(tx, assignment, request.secretIds))
    await outbox.record(tx, newEvent("policy", "grant.added", { ...subject, projectId, secretId }));
}

function storedStatus(status: PrincipalStatus): Principal["status"] {
  switch (status) {
    case PrincipalStatus.ACTIVE:
      return "active";
    case PrincipalStatus.DISABLED:
      return "disabled";
    case PrincipalStatus.REVOKED:
      return "revoked";
    case PrincipalStatus.UNSPECIFIED:
    default:
      throw fail(Reason.FIELD_INVALID, { field: "status", description: "is not a status" });
  }
}
