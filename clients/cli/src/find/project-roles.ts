import type { Services } from "@sallyport/client";
import type { UserProjectRole } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { isId } from "@sallyport/proto/ids";
import { everyPage } from "./pages.ts";
import { findUser } from "./people.ts";

type With<S extends keyof Services> = { readonly services: Pick<Services, S> };
type Page = { readonly projectRoles: UserProjectRole[]; readonly nextPageToken: string };

const pageSize = 1000;

/** Every role in a project. */
export function rolesInProject(
  client: With<"projectRoles">,
  projectId: string,
): Promise<UserProjectRole[]> {
  return all((pageToken) =>
    client.services.projectRoles.listProjectRoles({ projectId, pageSize, pageToken }),
  );
}

/** Every role of a user. */
export function rolesOfUser(
  client: With<"projectRoles">,
  userId: string,
): Promise<UserProjectRole[]> {
  const { projectRoles } = client.services;
  return all((pageToken) => projectRoles.listProjectRolesByUser({ userId, pageSize, pageToken }));
}

/** Every role of the one who asks. */
export function ownRoles(client: With<"projectRoles">): Promise<UserProjectRole[]> {
  return all((pageToken) =>
    client.services.projectRoles.listOwnProjectRoles({ pageSize, pageToken }),
  );
}

/**
 * The id of a user by id or name. An id is taken as it is: a manager of a project may not look
 * people up.
 */
export async function userIdOf(client: With<"users">, key: string): Promise<string> {
  return isId("usr", key) ? key : (await findUser(client, key)).userId;
}

function all(ask: (pageToken: string) => Promise<Page>): Promise<UserProjectRole[]> {
  return everyPage(async (pageToken) => {
    const { projectRoles, nextPageToken } = await ask(pageToken);
    return { items: projectRoles, nextPageToken };
  });
}
