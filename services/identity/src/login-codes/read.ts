import type { ForwardHandlers } from "@sallyport/forward";
import type { Outbox } from "@sallyport/outbox";
import type { Database } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { fail } from "@sallyport/rpc";
import { describeLoginCode } from "./views.ts";
import { readPage } from "../page.ts";
import { actorOf, originOf, signerOf } from "../audit-fields.ts";
import { type LoginCode, findLoginCode, listLoginCodes, revokeLoginCode } from "./store.ts";

/** The dependencies of looking after login codes. */
export type LoginCodeParts = {
  readonly database: Pick<Database, "query">;
  readonly outbox: Pick<Outbox, "record">;
  readonly clock: () => number;
};

type Handlers = Pick<ForwardHandlers<typeof UserService>, "listLoginCodes" | "revokeLoginCode">;

/** Makes ListLoginCodes and RevokeLoginCode. Revoking again changes and records nothing. */
export function createLoginCodeHandlers({ database, outbox, clock }: LoginCodeParts): Handlers {
  return {
    async listLoginCodes(context, request) {
      const { vaultId } = signerOf(context);
      const { items, nextPageToken } = await readPage(
        request,
        "tok",
        ({ codeId }: LoginCode) => codeId,
        (after, limit) => listLoginCodes(database, vaultId, after, limit),
      );
      return { loginCodes: items.map(describeLoginCode), nextPageToken };
    },
    async revokeLoginCode(context, { codeId }) {
      const { vaultId } = signerOf(context);
      const nowMs = clock();
      const code = await context.mutate(async (tx) => {
        const revoked = await revokeLoginCode(tx, vaultId, codeId, new Date(nowMs));
        if (!revoked) return findLoginCode(tx, vaultId, codeId);
        const about = {
          ...actorOf(context),
          ...originOf(context, nowMs),
          vaultId,
          subjectId: codeId,
        };
        const detail = { role: revoked.role };
        await outbox.record(tx, newEvent("identity", "login_code.revoked", { ...about, detail }));
        return revoked;
      });
      if (!code) throw fail(Reason.NOT_FOUND);
      if (code.redeemedBy !== null) throw fail(Reason.TOKEN_EXHAUSTED);
      return { loginCode: describeLoginCode(code) };
    },
  };
}
