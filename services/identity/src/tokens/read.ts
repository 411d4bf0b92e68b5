import type { ForwardHandlers } from "@sallyport/forward";
import type { Database } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { fail } from "@sallyport/rpc";
import { describeToken } from "./views.ts";
import { readPage } from "../page.ts";
import type { PolicyScope } from "../policy.ts";
import { signerOf } from "../audit-fields.ts";
import { type Token, findToken, listTokens } from "./store.ts";
import { isReached, tokenReachOf } from "./reach.ts";

type Handlers = Pick<ForwardHandlers<typeof EnrollmentService>, "getToken" | "listTokens">;

/** Makes GetToken and ListTokens. What is not for the signer is not there. */
export function createTokenReadHandlers({
  database,
  policy,
}: {
  readonly database: Pick<Database, "query">;
  readonly policy: Pick<PolicyScope, "listRoles">;
}): Handlers {
  return {
    async getToken(context, { tokenId }) {
      const reach = await tokenReachOf(context, policy);
      const token = await findToken(database, signerOf(context).vaultId, tokenId);
      if (!token || !isReached(token, reach)) throw fail(Reason.NOT_FOUND);
      return { token: describeToken(token) };
    },
    async listTokens(context, request) {
      const { vaultId } = signerOf(context);
      const reach = await tokenReachOf(context, policy);
      const { items, nextPageToken } = await readPage(
        request,
        "tok",
        ({ tokenId }: Token) => tokenId,
        (after, limit) => listTokens(database, vaultId, reach, { after, limit }),
      );
      return { tokens: items.map(describeToken), nextPageToken };
    },
  };
}
