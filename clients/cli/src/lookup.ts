import { type Services, SallyportError } from "@sallyport/client";
import type { Secret } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { isId } from "@sallyport/proto/ids";

/** A project's id and name. */
export type NamedProject = { readonly projectId: string; readonly name: string };

/**
 * Finds a project by id or name.
 *
 * Security: the answer is not signed. The half that was typed comes back as typed, whatever the gateway answered; what is
 * sealed for both halves opens only where they belong together.
 */
export async function findProject(
  client: { readonly services: Pick<Services, "projects"> },
  key: string,
): Promise<NamedProject> {
  const named = isId("prj", key)
    ? { case: "projectId" as const, value: key }
    : { case: "name" as const, value: key };
  const { project } = await client.services.projects.getProject({ key: named });
  if (!project) throw new SallyportError("NOT_FOUND", `there is no project ${key}`);
  const { projectId, name } = project;
  return named.case === "projectId" ? { projectId: key, name } : { projectId, name: key };
}

/** Finds a secret by name in a project; undefined when there is none. */
export async function findSecret(
  client: { readonly services: Pick<Services, "secrets"> },
  projectId: string,
  name: string,
): Promise<Secret | undefined> {
  const { secret } = await client.services.secrets.getSecret({ projectId, name });
  return secret;
}
