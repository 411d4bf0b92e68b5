import { SallyportError } from "@sallyport/client";
import { defineCommand } from "../definition/define.ts";
import { required } from "../definition/options.ts";
import { locateSecret } from "../find/lookup.ts";
import { ofProject } from "../views/secret-options.ts";
import { secretShape, secretView } from "../views/secret.ts";

/** `sallyport secret note SECRET NOTE`: replaces what people wrote about it. */
export const secretNote = defineCommand({
  description:
    "A note is for people and is not sealed: everyone who may list secrets sees it. 1,000 bytes " +
    "at most.",
  args: {
    secret: required("name or id", { complete: "secrets" }),
    note: required('what to write; "" removes what was written'),
  },
  options: ofProject,
  examples: [
    ['sallyport secret note DB_URL "rotated by the platform team each month"', "write a note"],
    ['sallyport secret note DB_URL ""', "remove it"],
  ],
  json: secretShape,
  run: ({ args, options: { project }, context }) =>
    context.session.asUserOnce(async (client) => {
      const { secretId } = await locateSecret(client, args.secret, project);
      const { secret } = await client.services.secrets.updateSecret({ secretId, note: args.note });
      if (!secret) throw new SallyportError("INTERNAL", "the server described no secret");
      return secretView(client, secret);
    }),
  show: ({ secretId, name, note }, screen) =>
    screen.mark("ok", note === "" ? `removed the note of ${name}` : `noted for ${name}`, secretId),
});
