import {
  ProjectRole,
  ProjectRoleSchema,
  type UserProjectRole,
} from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { type ValueOf, nullable, object, text, time } from "../definition/shape.ts";
import { type NameSource, namesOf } from "../find/names.ts";
import { momentOf } from "./moment.ts";
import { person, personShape } from "./person.ts";

/** The roles in a project, as they are typed and shown. */
export const projectRoles = ["none", "lister", "writer", "manager"] as const;

const numbers: Readonly<Record<(typeof projectRoles)[number], ProjectRole>> = {
  none: ProjectRole.NONE,
  lister: ProjectRole.LISTER,
  writer: ProjectRole.WRITER,
  manager: ProjectRole.MANAGER,
};

/** The role in a project that a word means; undefined for another word. */
export function projectRoleOf(word: string): ProjectRole | undefined {
  const known = projectRoles.find((each) => each === word);
  return known && numbers[known];
}

/** The role of a user in a project, as JSON. */
export const projectRoleShape = object({
  userId: text("the user's id"),
  user: nullable(text("the user's name; null where it may not be seen")),
  role: text("`none`, `lister`, `writer` or `manager`"),
  projectId: text("the project's id"),
  project: text("the project's name"),
  updatedAt: nullable(time("when it was set")),
  updatedBy: nullable(personShape("who set it")),
});

/** A role in a project as commands print it. */
export type ProjectRoleView = ValueOf<typeof projectRoleShape>;

/** Project roles as commands print them, by project and user, from what the server returns. */
export async function projectRoleViews(
  client: NameSource,
  given: readonly UserProjectRole[],
): Promise<ProjectRoleView[]> {
  const ids = given.flatMap(({ userId, projectId, updatedBy }) => [userId, projectId, updatedBy]);
  const names = await namesOf(client, ids);
  const views = given.map(({ userId, projectId, role, updatedAt, updatedBy }) => ({
    userId,
    user: names.get(userId) ?? null,
    role: enumName(ProjectRoleSchema, role).toLowerCase(),
    projectId,
    project: names.get(projectId) ?? projectId,
    updatedAt: momentOf(updatedAt),
    updatedBy: person(updatedBy, names),
  }));
  const key = ({ project, user, userId }: ProjectRoleView) =>
    `${project}\n${user ?? ""}\n${userId}`;
  return views.toSorted((a, b) => (key(a) < key(b) ? -1 : Number(key(a) > key(b))));
}
