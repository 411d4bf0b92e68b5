import type { Project } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { type ValueOf, integer, nullable, object, text, time } from "../definition/shape.ts";
import { type NameSource, type Names, namesOf } from "../find/names.ts";
import { momentOf } from "./moment.ts";
import { person, personShape } from "./person.ts";

/** A project as JSON. */
export const projectShape = object({
  projectId: text("the project's id"),
  name: text("its name"),
  secrets: integer("how many secrets live in it"),
  createdAt: nullable(time("when it was made")),
  createdBy: nullable(personShape("who made it")),
  deletedAt: nullable(time("when it was deleted; null while it lives")),
  deletedBy: nullable(personShape("who deleted it; null while it lives")),
  purgeAt: nullable(time("until when it can be restored; null while it lives")),
});

/** A project as commands print it. */
export type ProjectView = ValueOf<typeof projectShape>;

/** Projects as the server returns them, in the form that commands print. */
export async function projectViews(
  client: NameSource,
  projects: readonly Project[],
): Promise<ProjectView[]> {
  const people = projects.flatMap(({ createdBy, deletedBy }) => [createdBy, deletedBy]);
  const names = await namesOf(client, people);
  return projects.map((project) => viewOf(project, names));
}

/** The same of one project. */
export async function projectView(client: NameSource, project: Project): Promise<ProjectView> {
  return viewOf(project, await namesOf(client, [project.createdBy, project.deletedBy]));
}

function viewOf(project: Project, names: Names): ProjectView {
  const { projectId, name, secrets } = project;
  return {
    projectId,
    name,
    secrets,
    createdAt: momentOf(project.createdAt),
    createdBy: person(project.createdBy, names),
    deletedAt: momentOf(project.deletedAt),
    deletedBy: person(project.deletedBy, names),
    purgeAt: momentOf(project.purgeAt),
  };
}
