import { reasonOption } from "../definition/bounded.ts";
import { defineCommand } from "../definition/define.ts";
import { flag, required } from "../definition/options.ts";
import { boolean, object, text } from "../definition/shape.ts";
import { confirmed } from "../terminal/confirm.ts";
import { changeMachine, machineToChange } from "../find/machine-change.ts";
import { stateWord } from "../views/machine.ts";

/** `sallyport machine revoke MACHINE`: ends a machine permanently. */
export const machineRevoke = defineCommand({
  description:
    "Its grants and memberships go with it, immediately and permanently; enroll again to replace " +
    "it. Revoking it again changes nothing. Asks on a terminal, and needs --yes without one.",
  args: { machine: required("the machine's name or id", { complete: "machines" }) },
  options: { reason: reasonOption, yes: flag("do not ask") },
  examples: [
    ['sallyport machine revoke runner-1 --reason "laptop lost"', "asks first"],
    ["sallyport machine revoke mch_0123456789abcdefghjk --yes", "in a script"],
  ],
  json: object({
    machineId: text("the machine's id"),
    name: text("its name"),
    state: text("`revoked`"),
    already: boolean("whether it was revoked before"),
  }),
  async run({ args, options: { reason, yes }, context }) {
    const found = await machineToChange(context, args.machine);
    const { machineId, name } = found;
    const already = stateWord(found) === "revoked";
    if (!already) await confirmed(`Revoke ${name} (${machineId}) permanently?`, yes);
    // One that is revoked is revoked again: that finishes what a failure may have left.
    await changeMachine(context, (machines) => machines.revokeMachine({ machineId, reason }));
    return { machineId, name, state: "revoked", already };
  },
  show: ({ machineId, name, already }, screen) =>
    screen.mark(
      "ok",
      `${name} ${already ? "was revoked already" : "is revoked: it reads nothing any more"}`,
      machineId,
    ),
});
