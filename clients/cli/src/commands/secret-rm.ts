import { SallyportError } from "@sallyport/client";
import { defineCommand } from "../definition/define.ts";
import { required } from "../definition/options.ts";
import { locateSecret } from "../find/lookup.ts";
import { relativeTime } from "../terminal/time.ts";
import { ofProject } from "../views/secret-options.ts";
import { secretShape, secretView } from "../views/secret.ts";
import { wordOr } from "../terminal/word.ts";

/**
 * `sallyport secret rm SECRET`: nothing reads it from then on; it can be restored within 30 days.
 */
export const secretRm = defineCommand({
  description:
    "Immediately nothing reads it, and its name is free. It can be restored for 30 days, with " +
    "its versions and grants; then it is removed permanently.",
  args: { secret: required("name or id", { complete: "secrets" }) },
  options: ofProject,
  examples: [
    ["sallyport secret rm OLD_KEY", "delete a secret"],
    ["sallyport secret rm OLD_KEY --project web", "when the name is in several projects"],
  ],
  json: secretShape,
  run: ({ args, options: { project }, context }) =>
    context.session.asUserOnce(async (client) => {
      const { secretId } = await locateSecret(client, args.secret, project);
      const { secret } = await client.services.secrets.deleteSecret({ secretId });
      if (!secret) throw new SallyportError("INTERNAL", "the server described no secret");
      return secretView(client, secret);
    }),
  show({ secretId, name, project, purgeAt }, screen, { context }) {
    screen.mark("ok", `deleted ${name} of ${project}`, secretId);
    context.progress.say(
      `gone permanently ${relativeTime(purgeAt)}; until then: sallyport secret restore ` +
        `${wordOr(name, "SECRET")} --project ${wordOr(project, "PROJECT")}`,
    );
  },
});
