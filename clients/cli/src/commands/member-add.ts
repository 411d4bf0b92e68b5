import { SallyportError } from "@sallyport/client";
import { defineCommand } from "../definition/define.ts";
import { required, text } from "../definition/options.ts";
import { findMachine, findProject } from "../find/lookup.ts";
import { membershipShape, membershipViews } from "../views/membership.ts";
import { wordOr } from "../terminal/word.ts";

/** `sallyport member add MACHINE --project P`. */
export const memberAdd = defineCommand({
  description:
    "A member may be granted secrets of the project; it reads none without a grant. Adding twice " +
    "is no error.",
  args: { machine: required("name or id", { complete: "machines" }) },
  options: {
    project: text("the project, by name or id", {
      required: true,
      value: "project",
      complete: "projects",
    }),
  },
  examples: [
    ["sallyport member add runner-1 --project web", "put a machine into a project"],
    ["sallyport member add mch_0123456789abcdefghjk --project web", "one of several of a name"],
  ],
  json: membershipShape,
  run: ({ args, options, context }) =>
    context.session.asUserOnce(async (client) => {
      const { machineId } = await findMachine(client, args.machine);
      const { projectId } = await findProject(client, options.project);
      const { membership } = await client.services.memberships.addMembership({
        machineId,
        projectId,
      });
      const [view] = await membershipViews(client, membership ? [membership] : []);
      if (!view) throw new SallyportError("INTERNAL", "the server described no membership");
      return view;
    }),
  show({ machine, machineId, project }, screen, { context }) {
    screen.mark("ok", `${machine} is a member of ${project}`, machineId);
    context.progress.say(
      `next: grant it secrets: sallyport grant ${wordOr(machine, "MACHINE")} SECRET --project ` +
        wordOr(project, "PROJECT"),
    );
  },
});
