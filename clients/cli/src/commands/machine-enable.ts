import { defineCommand } from "../definition/define.ts";
import { required } from "../definition/options.ts";
import { changeMachine, livingMachine } from "../find/machine-change.ts";
import { machineShape, plainMachine } from "../views/machine.ts";

/** `sallyport machine enable MACHINE`: lets a disabled machine work again. */
export const machineEnable = defineCommand({
  description: "A machine that was revoked or has expired cannot be enabled.",
  args: { machine: required("the machine's name or id", { complete: "machines" }) },
  options: {},
  examples: [
    ["sallyport machine enable runner-1", "let a disabled machine go on"],
    ["sallyport machine enable mch_0123456789abcdefghjk", "by id"],
  ],
  json: machineShape,
  async run({ args, context }) {
    const { machineId } = await livingMachine(context, args.machine, "enabled");
    return plainMachine(
      await changeMachine(context, (machines) => machines.enableMachine({ machineId })),
    );
  },
  show: ({ name, state, machineId }, screen) => screen.mark("ok", `${name} is ${state}`, machineId),
});
