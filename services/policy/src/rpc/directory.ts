import type { ServiceImpl } from "@connectrpc/connect";
import type { Database } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { DirectoryService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/directory_pb.ts";
import { fail } from "@sallyport/rpc";
import { registerProjects, registerSecrets } from "../store/directory.ts";
import { lockProjects } from "../store/locks.ts";
import { hide, purge, show } from "./retirement.ts";

/**
 * Learns from secrets which ids there are, all of a request or none. An id stays where it was
 * first.
 */
export function createDirectory(
  database: Pick<Database, "transaction">,
): ServiceImpl<typeof DirectoryService> {
  return {
    async registerResources({ vaultId, projectIds, secrets }) {
      await database.transaction(async (tx) => {
        if (!(await registerProjects(tx, vaultId, projectIds)))
          throw fail(Reason.ALREADY_EXISTS, { field: "project_ids" });
        const parents = new Set(secrets.map(({ projectId }) => projectId));
        const states = await lockProjects(tx, vaultId, [...parents]);
        const known = [...parents].every((id) => states.get(id) === "live");
        if (!known) throw fail(Reason.NOT_FOUND, { field: "project_id" });
        if (!(await registerSecrets(tx, vaultId, secrets)))
          throw fail(Reason.ALREADY_EXISTS, { field: "secrets" });
      });
      return {};
    },
    async retireResources({ purged, ...hidden }) {
      await (purged ? purge(database, hidden) : hide(database, hidden));
      return {};
    },
    async reinstateResources(shown) {
      await show(database, shown);
      return {};
    },
  };
}
