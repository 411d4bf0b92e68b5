import { defineCommand } from "../definition/define.ts";
import { required, text as textOption } from "../definition/options.ts";
import { integer, object, text } from "../definition/shape.ts";
import { findMachine, findProject } from "../find/lookup.ts";

/** `sallyport member rm MACHINE --project P`: its grants there go with it. */
export const memberRm = defineCommand({
  description:
    "Its grants of secrets of the project are removed too: adding it again does not restore " +
    "them.",
  args: { machine: required("name or id", { complete: "machines" }) },
  options: {
    project: textOption("the project, by name or id", {
      required: true,
      value: "project",
      complete: "projects",
    }),
  },
  examples: [
    ["sallyport member rm runner-1 --project web", "its next read of the project is refused"],
    [
      "sallyport member rm runner-1 --project web --json | jq .grantsRemoved",
      "how many grants went",
    ],
  ],
  json: object({
    machineId: text("the machine's id"),
    machine: text("its name"),
    projectId: text("the project's id"),
    project: text("its name"),
    grantsRemoved: integer("how many grants went with the membership"),
  }),
  run: ({ args, options, context }) =>
    context.session.asUserOnce(async (client) => {
      const { machineId, name: machine } = await findMachine(client, args.machine);
      const { projectId, name: project } = await findProject(client, options.project);
      const { grantsRemoved } = await client.services.memberships.removeMembership({
        machineId,
        projectId,
      });
      return { machineId, machine, projectId, project, grantsRemoved };
    }),
  show({ machine, machineId, project, grantsRemoved }, screen) {
    const grants = grantsRemoved === 1 ? "one grant" : `${grantsRemoved} grants`;
    const lost = grantsRemoved === 0 ? "" : `; ${grants} went with it`;
    screen.mark("ok", `${machine} is no member of ${project} any more${lost}`, machineId);
  },
});
