import { enumName } from "@sallyport/proto/names";
import { ValueKindSchema } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { isId } from "@sallyport/proto/ids";
import { defineCommand } from "../definition/define.ts";
import { text } from "../definition/options.ts";
import { integer, listOf, object, text as word } from "../definition/shape.ts";

/** `sallyport list`: what this machine may read. */
export const list = defineCommand({
  args: {},
  options: {
    project: text("only of this project, by name or id", {
      value: "project",
      complete: "readableProjects",
    }),
  },
  examples: [
    ["sallyport list", "everything this machine may read"],
    ["sallyport list --json | jq -r '.[].name'", "the names alone"],
  ],
  json: listOf(
    object({
      name: word("the secret's name"),
      project: word("its project's name"),
      version: integer("its current version"),
      kind: word("`single` or `fields`"),
      secretId: word("its id"),
      projectId: word("its project's id"),
    }),
  ),
  async run({ options: { project }, context }) {
    const byId = project !== undefined && isId("prj", project) ? project : undefined;
    const readable = await context.session.asMachine((client) => client.listReadable(byId));
    return readable
      .filter(
        ({ projectName }) => project === undefined || byId !== undefined || projectName === project,
      )
      .map(({ secretId, name, projectId, projectName, version, kind }) => ({
        name,
        project: projectName,
        version,
        kind: enumName(ValueKindSchema, kind).toLowerCase(),
        secretId,
        projectId,
      }))
      .toSorted((a, b) => compare(a.project, b.project) || compare(a.name, b.name));
  },
  show(secrets, screen) {
    screen.table(
      [
        { title: "NAME", cell: ({ name }) => name, min: 12 },
        { title: "PROJECT", cell: ({ project }) => project, min: 8 },
        { title: "VERSION", cell: ({ version }) => String(version), align: "right" },
        { title: "KIND", cell: ({ kind }) => kind },
        { title: "ID", cell: ({ secretId }) => secretId, style: () => "dim" },
      ],
      secrets,
      "This machine may read nothing yet.",
    );
  },
});

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
