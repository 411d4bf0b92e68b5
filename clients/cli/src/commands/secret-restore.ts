import { SallyportError } from "@sallyport/client";
import { defineCommand } from "../definition/define.ts";
import { required } from "../definition/options.ts";
import { findDeletedSecret } from "../find/lookup.ts";
import { notRestored } from "../find/restoring.ts";
import { ofProject } from "../views/secret-options.ts";
import { secretShape, secretView } from "../views/secret.ts";

/** `sallyport secret restore SECRET`. */
export const secretRestore = defineCommand({
  description:
    "It is restored with its versions and grants. Its project must exist, and its name be " +
    "free.",
  args: { secret: required("name or id of a deleted secret") },
  options: ofProject,
  examples: [
    ["sallyport secret restore OLD_KEY --project web", "bring a secret back"],
    [
      "sallyport secret restore sec_0123456789abcdefghjk",
      "one of several that were called the same",
    ],
  ],
  json: secretShape,
  run: ({ args, options: { project }, context }) =>
    context.session.asUserOnce(async (client) => {
      const secretId = await findDeletedSecret(client, args.secret, project);
      const { secret } = await client.services.secrets
        .restoreSecret({ secretId })
        .catch(notRestored);
      if (!secret) throw new SallyportError("INTERNAL", "the server described no secret");
      return secretView(client, secret);
    }),
  show: ({ secretId, name, project, version }, screen) =>
    screen.mark("ok", `restored ${name} of ${project}, at version ${version}`, secretId),
});
