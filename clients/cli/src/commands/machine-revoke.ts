import { defineCommand } from "../command/define.ts";
import { required, textOr } from "../command/options.ts";
import { object, text } from "../command/shape.ts";

/** `sallyport machine revoke ID`. */
export const machineRevoke = defineCommand({
  description: "Its grants and memberships go with it, at once and for good.",
  args: { machine: required("the machine's id") },
  options: { reason: textOr("", "kept in the record") },
  examples: [['sallyport machine revoke mch_0123456789abcdefghjk --reason "laptop lost"', "with a reason"]],
  json: object({ machineId: text("the machine's id"), state: text("`revoked`") }),
  async run({ args: { machine: machineId }, options: { reason }, context }) {
    await context.session.asUserOnce((client) =>
      client.services.machines.revokeMachine({ machineId, reason }),
    );
    return { machineId, state: "revoked" };
  },
  show: ({ machineId }, screen) => screen.mark("ok", `revoked ${machineId}`),
});
