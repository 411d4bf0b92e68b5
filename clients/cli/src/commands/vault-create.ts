import { SallyportError, newTokenSecret } from "@sallyport/client";
import { checkText } from "../definition/bounded.ts";
import { defineCommand } from "../definition/define.ts";
import { required } from "../definition/options.ts";
import { object, text, time } from "../definition/shape.ts";
import { codeText, loginCommand } from "../views/login-code.ts";
import { relativeTime } from "../terminal/time.ts";
import { iso } from "../views/timestamp.ts";

/**
 * `sallyport vault create NAME`: makes another vault; its first owner's login code is made here and
 * shown once.
 */
export const vaultCreate = defineCommand({
  description:
    "Takes an owner. Vaults are separate: the creator has no power in the new one. Its first " +
    "owner logs in with the code that is printed, within 7 days; logging in yourself gives " +
    "this computer an identity in both.",
  args: { name: required("how people call it: 1 to 128 bytes") },
  options: {},
  examples: [
    ["sallyport vault create staging", "prints the login code of its owner"],
    ["sallyport vault create staging | sallyport login --name ada", "become its owner yourself"],
  ],
  json: object({
    vaultId: text("the vault's id"),
    name: text("its name"),
    code: text("its owner's login code: it is shown this once"),
    codeId: text("the code's id"),
    codeExpiresAt: time("when the code can no longer be redeemed"),
    next: text("the command that redeems it, which asks for it"),
  }),
  async run({ args: { name }, context }) {
    checkText("the vault's name", name, { min: 1, max: 128 });
    return context.session.asUserOnce(async (client, identity) => {
      const secret = newTokenSecret();
      const { vault, codeId, codeExpiresAt } = await client.services.vaults.createVault({
        name,
        ownerCodeKeySha256: secret.publicKeySha256,
      });
      if (!vault) throw new SallyportError("INTERNAL", "the server described no vault");
      const { vaultId } = vault;
      const code = codeText({ vaultId, rootFingerprint: identity.rootFingerprint }, codeId, secret);
      const next = loginCommand(identity, "NAME");
      return { vaultId, name, code, codeId, codeExpiresAt: iso(codeExpiresAt), next };
    });
  },
  show({ vaultId, name, code, codeExpiresAt, next }, screen, { context }) {
    context.progress.say(
      `made vault ${name} (${vaultId}); this is its owner's login code, shown once:`,
    );
    screen.text(code);
    context.progress.say(`it expires ${relativeTime(codeExpiresAt)}; its owner runs: ${next}`);
  },
});
