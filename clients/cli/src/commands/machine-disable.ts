import { reasonOption } from "../definition/bounded.ts";
import { defineCommand } from "../definition/define.ts";
import { required } from "../definition/options.ts";
import { changeMachine, livingMachine } from "../find/machine-change.ts";
import { machineShape, plainMachine } from "../views/machine.ts";

/** `sallyport machine disable MACHINE`: stops a machine until it is enabled again. */
export const machineDisable = defineCommand({
  description: "Its next read is refused; its grants and memberships stay.",
  args: { machine: required("the machine's name or id", { complete: "machines" }) },
  options: { reason: reasonOption },
  examples: [
    ['sallyport machine disable runner-1 --reason "looks odd"', "stop it and look"],
    ["sallyport machine disable mch_0123456789abcdefghjk", "by id"],
  ],
  json: machineShape,
  async run({ args, options: { reason }, context }) {
    const { machineId } = await livingMachine(context, args.machine, "disabled");
    return plainMachine(
      await changeMachine(context, (machines) => machines.disableMachine({ machineId, reason })),
    );
  },
  show({ name, machineId }, screen, { args }) {
    screen.mark("ok", `${name} is disabled: its next read is refused`, machineId);
    screen.line(`  "sallyport machine enable ${args.machine}" lets it go on.`);
  },
});
