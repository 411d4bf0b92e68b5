import type { ServiceImpl } from "@connectrpc/connect";
import type { Outbox } from "@sallyport/outbox";
import type { Database } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  PrincipalStatus,
  type ScopeService,
} from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { fail } from "@sallyport/rpc";
import { type Standing, isEnded } from "../standing.ts";
import { applyScope, validateScope } from "./scope-changes.ts";
import { changeStanding, takeRights } from "./standing-changes.ts";

/** Dependencies of the scope service; the clock is in milliseconds. */
export type ScopeParts = {
  readonly database: Database;
  readonly outbox: Pick<Outbox, "ready" | "record" | "drain">;
  readonly clock: () => number;
};

/**
 * Gives machines their scope and stops them, for identity. Every answer comes after the commit and
 * its records.
 */
export function createScope({
  database,
  outbox,
  clock,
}: ScopeParts): ServiceImpl<typeof ScopeService> {
  return {
    async validateScope(request) {
      return { projectRoles: await validateScope(database, request) };
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
