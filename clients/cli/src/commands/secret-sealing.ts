import { defineCommand } from "../definition/define.ts";
import { required } from "../definition/options.ts";
import { boolean, object, text } from "../definition/shape.ts";
import { locateSecret } from "../find/lookup.ts";
import { readSetting, settings } from "../views/sealing.ts";
import { ofProject } from "../views/secret-options.ts";

/** `sallyport secret sealing SECRET on|off`: whether a secret is read sealed only. */
export const secretSealing = defineCommand({
  description:
    "On, a read of the secret without a recipient key is refused: its value does not pass the " +
    'gateway in plaintext. The clients of Sallyport always seal. "sallyport vault sealing" ' +
    "shows what is set, and sets it for every secret.",
  args: {
    secret: required("name or id", { complete: "secrets" }),
    setting: required("on or off", { complete: { words: settings } }),
  },
  options: ofProject,
  examples: [
    ["sallyport secret sealing DB_URL on", "forbid unsealed reads of a secret"],
    [
      "sallyport secret sealing DB_URL off --project web",
      "allow them, unless the vault forbids them",
    ],
  ],
  json: object({
    secretId: text("the secret's id"),
    name: text("its name"),
    projectId: text("its project's id"),
    required: boolean("whether it is read sealed only by a setting of its own"),
    vaultRequired: boolean("whether every secret of the vault is read sealed only, and so it too"),
  }),
  run({ args, options: { project }, context }) {
    const isRequired = readSetting(args.setting);
    return context.session.asUserOnce(async (client) => {
      const { secretId, name, projectId } = await locateSecret(client, args.secret, project);
      const setting = { secretId, required: isRequired };
      const { vaultRequired } = await client.services.sealing.setSecretSealing(setting);
      return { secretId, name, projectId, required: isRequired, vaultRequired };
    });
  },
  show({ secretId, name, required: isRequired, vaultRequired }, screen, { context }) {
    if (isRequired) screen.mark("ok", `${name} is read sealed only`, secretId);
    else screen.mark("ok", `${name} has no setting of its own`, secretId);
    if (!isRequired && vaultRequired)
      context.progress.say(
        "it is read sealed only all the same: the vault requires it of every secret",
      );
  },
});
