import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { SallyportError, newTokenSecret } from "@sallyport/client";
import { durationWithin } from "../definition/bounded.ts";
import { defineCommand } from "../definition/define.ts";
import { codeText, loginCommand, newCodeShape, plainCode } from "../views/login-code.ts";
import { relativeTime } from "../terminal/time.ts";

/**
 * `sallyport device add`: makes a login code for a further device of oneself; it is made here and
 * shown once.
 */
export const deviceAdd = defineCommand({
  description:
    "Each of your computers has its own key, so that a lost one can be revoked alone. A person " +
    "who redeems the code acts as you: give it to nobody else.",
  args: {},
  options: {
    lifetime: durationWithin("10m", "how long the code can be redeemed", { min: "60s", max: "1h" }),
  },
  examples: [
    [
      "sallyport device add",
      "prints a login code; the other computer redeems it within 10 minutes",
    ],
    [
      "sallyport device add --lifetime 1h | ssh laptop sallyport login",
      "hands it over without showing it",
    ],
  ],
  json: newCodeShape,
  run: ({ options: { lifetime }, context }) =>
    context.session.asUserOnce(async (client, identity) => {
      const secret = newTokenSecret();
      const { loginCode } = await client.services.users.createDeviceCode({
        codeKeySha256: secret.publicKeySha256,
        lifetime: durationFromMs(lifetime * 1000),
      });
      if (!loginCode) throw new SallyportError("INTERNAL", "the server described no login code");
      const code = codeText(identity, loginCode.codeId, secret);
      return { code, next: loginCommand(identity, identity.name), ...plainCode(loginCode) };
    }),
  show({ code, expiresAt, next }, screen, { context }) {
    screen.text(code);
    context.progress.say(
      `shown once; it makes one computer a device of yours and expires ${relativeTime(expiresAt)}`,
    );
    context.progress.say(`there: ${next}`);
  },
});
