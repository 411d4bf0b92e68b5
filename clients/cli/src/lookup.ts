import { type Sallyport, SallyportError } from "@sallyport/client";
import type { Project } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import type { Secret } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { isId } from "@sallyport/proto/ids";

/** Finds a project by id or name. */
export async function findProject(client: Sallyport, key: string): Promise<Project> {
  const named = isId("prj", key)
    ? { case: "projectId" as const, value: key }
    : { case: "name" as const, value: key };
  const { project } = await client.services.projects.getProject({ key: named });
  if (!project) throw new SallyportError("NOT_FOUND", `there is no project ${key}`);
  return project;
}

/** Finds a secret by name in a project; undefined when there is none. */
export async function findSecret(
  client: Sallyport,
  projectId: string,
  name: string,
): Promise<Secret | undefined> {
  const { secret } = await client.services.secrets.getSecret({ projectId, name });
  return secret;
}
