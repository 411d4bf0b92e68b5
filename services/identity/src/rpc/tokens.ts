import type { ForwardHandlers } from "@sallyport/evidence";
import type { Outbox } from "@sallyport/outbox";
import type { Database } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { fail } from "@sallyport/rpc";
import { describeToken } from "../describe.ts";
import { readPage } from "../page.ts";
import { actorOf, originOf, signerOf } from "../reports.ts";
import { type Token, findToken, listTokens, revokeToken } from "../store/tokens.ts";
import { checkPrintable } from "../text.ts";

/** What looking after tokens works with. */
export type TokenParts = {
  readonly database: Pick<Database, "query">;
  readonly outbox: Pick<Outbox, "record">;
  readonly clock: () => number;
};

type Handlers = Pick<ForwardHandlers<typeof EnrollmentService>, "getToken" | "listTokens" | "revokeToken">;

/** Makes GetToken, ListTokens and RevokeToken. Revoking again changes and records nothing. */
export function createTokenHandlers({ database, outbox, clock }: TokenParts): Handlers {
  return {
    async getToken(context, { tokenId }) {
      const token = await findToken(database, signerOf(context).vaultId, tokenId);
      if (!token) throw fail(Reason.NOT_FOUND);
      return { token: describeToken(token) };
    },
    async listTokens(context, request) {
      const { vaultId } = signerOf(context);
      const { items, nextPageToken } = await readPage(
        request,
        "tok",
        ({ tokenId }: Token) => tokenId,
        (after, limit) => listTokens(database, vaultId, after, limit),
      );
      return { tokens: items.map(describeToken), nextPageToken };
    },
    async revokeToken(context, { tokenId, reason }) {
      checkPrintable("reason", reason);
      const { vaultId } = signerOf(context);
      const nowMs = clock();
      const token = await context.mutate(async (tx) => {
        const revoked = await revokeToken(tx, { vaultId, tokenId, reason }, new Date(nowMs));
        if (!revoked) return findToken(tx, vaultId, tokenId);
        const event = newEvent("identity", "token.revoked", {
          ...actorOf(context),
          ...originOf(context, nowMs),
          vaultId,
          subjectId: tokenId,
          detail: { revoke_reason: reason },
        });
        await outbox.record(tx, event);
        return revoked;
      });
      if (!token) throw fail(Reason.NOT_FOUND);
      return { token: describeToken(token) };
    },
  };
}
