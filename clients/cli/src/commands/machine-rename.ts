import { defineCommand } from "../definition/define.ts";
import { required } from "../definition/options.ts";
import { object, text } from "../definition/shape.ts";
import { UsageError } from "../app/failure.ts";
import { changeMachine, machineToChange } from "../find/machine-change.ts";

/** `sallyport machine rename MACHINE NAME`: gives a machine another name. */
export const machineRename = defineCommand({
  description: "The former name is kept with the machine. Its grants do not change.",
  args: {
    machine: required("the machine's name or id", { complete: "machines" }),
    name: required("the new name: letters, digits, . _ -, 1 to 128 characters"),
  },
  options: {},
  examples: [
    ["sallyport machine rename runner-1 builder-eu-1", "by name"],
    ["sallyport machine rename mch_0123456789abcdefghjk builder-eu-1", "by id"],
  ],
  json: object({
    machineId: text("the machine's id"),
    name: text("its name now"),
    formerName: text("its name before"),
  }),
  async run({ args: { machine: key, name }, context }) {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name))
      throw new UsageError(
        "a machine's name is 1 to 128 letters, digits, . _ -, and starts with a letter or digit",
      );
    const { machineId, name: formerName } = await machineToChange(context, key);
    await changeMachine(context, (machines) => machines.renameMachine({ machineId, name }));
    return { machineId, name, formerName };
  },
  show: ({ machineId, name, formerName }, screen) =>
    screen.mark("ok", `${formerName} is called ${name} now`, machineId),
});
