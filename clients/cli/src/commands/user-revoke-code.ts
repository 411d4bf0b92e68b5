import { isId } from "@sallyport/proto/ids";
import { defineCommand } from "../definition/define.ts";
import { required } from "../definition/options.ts";
import { UsageError } from "../app/failure.ts";
import { present, undefinedIfAbsent } from "../find/lookup.ts";
import { loginCodeShape, plainCode } from "../views/login-code.ts";

/** `sallyport user revoke-code CODE`: ends a login code that was not redeemed. */
export const userRevokeCode = defineCommand({
  description:
    'Takes an owner. "sallyport user codes --open" shows the ids. A user who has redeemed a ' +
    "code is removed instead, or their device revoked.",
  args: { code: required("the code's id, not its text", { complete: "loginCodes" }) },
  options: {},
  examples: [
    ["sallyport user revoke-code tok_0123456789abcdefghjk", "nobody can log in with it any more"],
    ["sallyport user revoke-code tok_0123456789abcdefghjk --vault staging", "in another vault"],
  ],
  json: loginCodeShape,
  async run({ args: { code: codeId }, context }) {
    if (!isId("tok", codeId))
      throw new UsageError(
        "a code is named by its id, tok_ and 20 characters, not by its text",
        '"sallyport user codes" shows the ids',
      );
    const answer = await context.session.asUserOnce((client) =>
      client.services.users.revokeLoginCode({ codeId }).catch(undefinedIfAbsent),
    );
    return plainCode(present(answer?.loginCode, `login code ${codeId}`));
  },
  show: ({ codeId }, screen) => screen.mark("ok", `revoked ${codeId}: nobody can log in with it`),
});
