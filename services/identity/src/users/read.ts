import type { ForwardHandlers } from "@sallyport/forward";
import type { Database } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { fail } from "@sallyport/rpc";
import { readPage } from "../page.ts";
import { signerOf } from "../audit-fields.ts";
import { type User, findUser, listUsers } from "./store.ts";
import { viewUser, viewUsers } from "./views.ts";

type Handlers = Pick<ForwardHandlers<typeof UserService>, "getUser" | "listUsers">;

/** Makes GetUser and ListUsers. */
export function createUserHandlers({
  database,
  clock,
}: {
  readonly database: Pick<Database, "query">;
  readonly clock: () => number;
}): Handlers {
  return {
    async getUser(context, { userId }) {
      const user = await findUser(database, signerOf(context).vaultId, userId);
      if (!user) throw fail(Reason.NOT_FOUND);
      return { user: await viewUser(database, user, new Date(clock())) };
    },
    async listUsers(context, request) {
      const { vaultId } = signerOf(context);
      const { items, nextPageToken } = await readPage(
        request,
        "usr",
        ({ userId }: User) => userId,
        (after, limit) => listUsers(database, vaultId, after, limit),
      );
      return { users: await viewUsers(database, items, new Date(clock())), nextPageToken };
    },
  };
}
