import { type Sallyport, SallyportError } from "@sallyport/client";
import { reasonOption } from "../definition/bounded.ts";
import { defineCommand } from "../definition/define.ts";
import { flag, required } from "../definition/options.ts";
import { boolean, integer, listOf, object, text } from "../definition/shape.ts";
import { confirmed } from "../terminal/confirm.ts";
import { present, undefinedIfAbsent } from "../find/lookup.ts";
import { checkDevice, findDevice } from "../find/people.ts";
import {
  type PlainDescendants,
  descendantKeys,
  describe,
  isCut,
  joined,
  plainDescendants,
} from "../views/descendants.ts";

type Request = Parameters<Sallyport["services"]["users"]["revokeDevice"]>[0];

/** `sallyport device revoke DEVICE`: ends a device key permanently, and what came of it. */
export const deviceRevoke = defineCommand({
  description:
    "Takes an owner. Immediately and permanently ends the key, the keys before and after it by " +
    "renewal, and the unused login codes of its user. Everything that the device made ends " +
    "with it, since a thief may have made it: devices that it added, users that it invited, " +
    "its enrollment tokens, and what those made in turn. --dry-run shows what that is, and " +
    '--keep ends the device alone. Machines live on: end those of a token with "token revoke ' +
    '--cascade". Revoke your own computer with "sallyport logout". Asks on a terminal, and ' +
    "needs --yes without one.",
  args: {
    device: required('the device, as "device list" shows it, or its keyid', {
      complete: "devices",
    }),
  },
  options: {
    reason: reasonOption,
    keep: flag("keep what came of the device"),
    dryRun: flag("end nothing, and show what would end"),
    yes: flag("do not ask"),
  },
  examples: [
    ["sallyport device revoke 0123456789abcdefghjk --dry-run", "shows what came of it"],
    ['sallyport device revoke 0123456789abcdefghjk --reason "laptop stolen"', "asks first"],
    ["sallyport device revoke 0123456789abcdefghjk --keep --yes", "the device alone, in a script"],
  ],
  json: object({
    keyId: text("the device's keyid"),
    userId: text("its user's id"),
    userName: text("its user's name"),
    devicesLeft: integer("how many device keys of the user work now"),
    revoked: boolean("whether the device was revoked; false with --dry-run"),
    kept: boolean("whether what came of it lives on"),
    descendants: object(
      {
        ...descendantKeys,
        users: listOf(
          object({ userId: text("a user's id"), name: text("its name") }),
          "users it invited",
        ),
        devices: listOf(text("a keyid"), "devices it added"),
        tokens: listOf(text("a token's id"), "enrollment tokens it made"),
      },
      "what came of the device; unless it was kept it has ended",
    ),
  }),
  async run({ args, options: { reason, keep, dryRun, yes }, context }) {
    checkDevice(args.device);
    const keyId = await context.session.asUser((client) => findDevice(client, args.device));
    const call = (client: Sallyport, request: Request) =>
      client.services.users.revokeDevice({ keyId, reason, ...request }).catch(undefinedIfAbsent);
    const end = async () =>
      resultOf(
        present(
          await context.session.asUserOnce((client) => call(client, { keepDescendants: keep })),
          `device ${keyId}`,
        ),
      );
    const looked = await context.session.asUser((client) => call(client, { validateOnly: true }));
    const found = resultOf(present(looked, `device ${keyId}`));
    if (!dryRun) await confirmed(question(keyId, keep, found.descendants), yes);
    const { user, descendants } = dryRun ? found : keep ? await end() : await endAll(end);
    if (!user) throw new SallyportError("INTERNAL", "the server described no user");
    const { userId, name: userName, devices } = user;
    return {
      keyId,
      userId,
      userName,
      devicesLeft: devices.length,
      revoked: !dryRun,
      kept: dryRun || keep,
      descendants,
    };
  },
  show({ keyId, userName, devicesLeft, revoked, kept, descendants }, screen) {
    const what = describe(descendants);
    if (!revoked) screen.mark("warn", `nothing was revoked of ${userName}`, keyId);
    else screen.mark("ok", `revoked a device of ${userName}`, keyId);
    const left = devicesLeft === 0 ? "no device" : String(devicesLeft);
    if (revoked) screen.line(`  ${userName} has ${left} left.`);
    if (what !== "") screen.line(`  ${kept ? "Came of it" : "Ended with it"}: ${what}.`);
    for (const { userId, name } of descendants.users) screen.line(`  user    ${name}  ${userId}`);
    for (const device of descendants.devices) screen.line(`  device  ${device}`);
    for (const token of descendants.tokens) screen.line(`  token   ${token}`);
    if (descendants.machines > 0)
      screen.line(
        '  Machines live on; "sallyport token revoke TOKEN --cascade" ends those of a token.',
      );
  },
});

type Answer = Awaited<ReturnType<Sallyport["services"]["users"]["revokeDevice"]>>;
type Result = Pick<Answer, "user"> & { readonly descendants: PlainDescendants };

function resultOf({ user, descendants }: Answer): Result {
  return { user, descendants: plainDescendants(descendants) };
}

// So many of a kind end at once, and the device with the first of them.
async function endAll(end: () => Promise<Result>): Promise<Result> {
  const first = await end();
  let { descendants } = first;
  for (let latest = first; isCut(latest.descendants);) {
    latest = await end();
    descendants = joined(descendants, latest.descendants);
  }
  return { ...first, descendants };
}

function question(keyId: string, keep: boolean, found: PlainDescendants): string {
  const what = describe({ ...found, machines: 0 });
  const more = keep || what === "" ? "" : `, and with it ${what}`;
  return `Revoke the device key ${keyId}${more}, permanently?`;
}
