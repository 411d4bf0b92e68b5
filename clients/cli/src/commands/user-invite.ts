import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { SallyportError, newTokenSecret } from "@sallyport/client";
import { durationWithin } from "../definition/bounded.ts";
import { defineCommand } from "../definition/define.ts";
import { choice } from "../definition/options.ts";
import { codeText, loginCommand, newCodeShape, plainCode } from "../views/login-code.ts";
import { aRole, roleOf, roles } from "../views/role.ts";
import { relativeTime } from "../terminal/time.ts";

/**
 * `sallyport user invite`: makes a login code that admits one new user; it is made here and shown
 * once.
 */
export const userInvite = defineCommand({
  description: `Takes an owner. A user's role never changes: remove and invite again.

owner      everything, users and the vault itself included
admin      projects, secrets, grants, tokens, machines and the audit log
developer  writes and lists secrets
auditor    reads the audit log and lists, and nothing else`,
  args: {},
  options: {
    role: choice("what the new user may do", roles, { required: true }),
    lifetime: durationWithin("1d", "how long the code can be redeemed", { min: "60s", max: "7d" }),
  },
  examples: [
    ["sallyport user invite --role developer", "prints a login code; it can be redeemed for a day"],
    ["sallyport user invite --role admin --lifetime 1h --json", "with its id and end"],
  ],
  json: newCodeShape,
  async run({ options: { role, lifetime }, context }) {
    return context.session.asUserOnce(async (client, identity) => {
      const secret = newTokenSecret();
      const { loginCode } = await client.services.users.createLoginCode({
        codeKeySha256: secret.publicKeySha256,
        role: roleOf(role),
        lifetime: durationFromMs(lifetime * 1000),
      });
      if (!loginCode) throw new SallyportError("INTERNAL", "the server described no login code");
      const code = codeText(identity, loginCode.codeId, secret);
      return { code, next: loginCommand(identity, "NAME"), ...plainCode(loginCode) };
    });
  },
  show({ code, role, expiresAt, next }, screen, { context }) {
    screen.text(code);
    const end = relativeTime(expiresAt);
    context.progress.say(`shown once; it lets one person in as ${aRole(role)} and expires ${end}`);
    context.progress.say(`they run: ${next}`);
  },
});
