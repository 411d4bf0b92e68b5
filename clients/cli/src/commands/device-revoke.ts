import { SallyportError } from "@sallyport/client";
import { reasonOption } from "../command/bounded.ts";
import { defineCommand } from "../command/define.ts";
import { flag, required } from "../command/options.ts";
import { integer, object, text } from "../command/shape.ts";
import { confirmed } from "../confirm.ts";
import { present, undefinedIfAbsent } from "../lookup.ts";
import { checkDevice, findDevice } from "../people.ts";

/** `sallyport device revoke DEVICE`: ends a device key for good. */
export const deviceRevoke = defineCommand({
  description:
    'Takes an owner. Ends the key, what it was renewed from and what it was renewed to, at once and for good, and the unused login codes that its user made. Look at "token list" too when a thief may have it. Your own computer leaves with "sallyport logout". Asks on a terminal, and needs --yes without one.',
  args: { device: required('the device, as "device list" shows it, or its keyid', { complete: "devices" }) },
  options: { reason: reasonOption, yes: flag("do not ask") },
  examples: [
    ["sallyport device revoke 0123456789abcdefghjk --yes", "in a script"],
    ['sallyport device revoke 0123456789abcdefghjk --reason "laptop lost"', "asks first"],
  ],
  json: object({
    keyId: text("the device's keyid"),
    userId: text("its user's id"),
    userName: text("its user's name"),
    devicesLeft: integer("how many device keys of the user still work"),
  }),
  async run({ args, options: { reason, yes }, context }) {
    checkDevice(args.device);
    const keyId = await context.session.asUser((client) => findDevice(client, args.device));
    await confirmed(`Revoke the device key ${keyId} for good?`, yes);
    const answer = await context.session.asUserOnce((client) =>
      client.services.users.revokeDevice({ keyId, reason }).catch(undefinedIfAbsent),
    );
    const { user } = present(answer, `device ${keyId}`);
    if (!user) throw new SallyportError("INTERNAL", "the server described no user");
    return { keyId, userId: user.userId, userName: user.name, devicesLeft: user.devices.length };
  },
  show({ keyId, userName, devicesLeft }, screen) {
    screen.mark("ok", `revoked a device of ${userName}`, keyId);
    screen.line(
      devicesLeft === 0 ? `  ${userName} has no device left.` : `  ${userName} has ${devicesLeft} left.`,
    );
  },
});
