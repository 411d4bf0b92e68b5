import { isId } from "@sallyport/proto/ids";
import type { Services } from "@sallyport/client";
import { SallyportError } from "@sallyport/client/error";
import { CliError, UsageError } from "../app/failure.ts";
import { type NamedProject, findProject, findSecret, undefinedIfAbsent } from "../find/lookup.ts";
import { fewAtOnce } from "../find/pages.ts";

/** The projects and secrets of a token's machines, as typed. */
export type TypedScope = {
  readonly project: readonly string[];
  readonly secret: readonly string[];
};

/** The same by id. */
export type Scope = { readonly projectIds: string[]; readonly secretIds: string[] };

type Client = { readonly services: Pick<Services, "projects" | "secrets"> };

const most = { projects: 100, secrets: 1000 };

/** Refuses what no token can hold, before anything is looked up. Throws UsageError. */
export function checkScope({ project, secret }: TypedScope): void {
  if (project.length === 0 && !secret.some((key) => key.includes("/")))
    throw new UsageError(
      "no project is named for the machines to join",
      "name one with --project, or secrets with theirs: --secret project/NAME",
    );
  if (project.length > most.projects)
    throw new UsageError(
      `--project takes at most ${most.projects} projects, not ${project.length}`,
    );
  if (secret.length > most.secrets)
    throw new UsageError(`--secret takes at most ${most.secrets} secrets, not ${secret.length}`);
}

/**
 * Finds projects and secrets: each secret by id, as project/NAME, or by its name alone in whichever
 * of the named projects has it. A project that only stands before a secret is joined too. Throws
 * NOT_FOUND, or NAME_AMBIGUOUS for a name that several have.
 */
export async function findScope(client: Client, { project, secret }: TypedScope): Promise<Scope> {
  const prefixes = secret.flatMap((key) => (key.includes("/") ? [projectPart(key)] : []));
  const keys = [...new Set([...project, ...prefixes])];
  const found = await fewAtOnce(keys, (key) => findProject(client, key));
  const byKey = new Map(keys.map((key, index) => [key, found[index]] as const));
  const projects = distinct(found);
  // A name alone is looked for where --project says, if it says anything.
  const usual =
    project.length === 0 ? projects : distinct(project.flatMap((key) => byKey.get(key) ?? []));
  const secretIds = await fewAtOnce([...new Set(secret)], (key) => {
    if (isId("sec", key)) return Promise.resolve(key);
    const at = key.includes("/") ? byKey.get(projectPart(key)) : undefined;
    const name = key.slice(key.indexOf("/") + 1);
    return secretIn(client, at ? [at] : usual, name);
  });
  return {
    projectIds: projects.map(({ projectId }) => projectId),
    secretIds: [...new Set(secretIds)],
  };
}

function distinct(projects: readonly NamedProject[]): NamedProject[] {
  return [...new Map(projects.map((each) => [each.projectId, each])).values()];
}

function projectPart(key: string): string {
  return key.slice(0, key.indexOf("/"));
}

async function secretIn(
  client: Client,
  projects: readonly NamedProject[],
  name: string,
): Promise<string> {
  const [only] = projects;
  if (only && projects.length === 1)
    return (await findSecret(client, only.projectId, name)).secretId;
  const found = await fewAtOnce(projects, ({ projectId }) =>
    findSecret(client, projectId, name).catch(undefinedIfAbsent),
  );
  const having = projects.filter((_, index) => found[index]);
  const secret = found.find((each) => each !== undefined);
  if (!secret || having.length > 1) throw unclear(name, having);
  return secret.secretId;
}

function unclear(name: string, having: readonly NamedProject[]): Error {
  const where = having.map((project) => project.name);
  return having.length === 0
    ? new SallyportError("NOT_FOUND", `none of these projects has a secret ${name}`)
    : new CliError("NAME_AMBIGUOUS", `${name} is in ${where.join(" and ")}`, {
        next: `name it with its project, such as ${where[0] ?? "project"}/${name}`,
      });
}
