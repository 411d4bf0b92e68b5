import { create } from "@bufbuild/protobuf";
import type { Services } from "@sallyport/client";
import { SallyportError } from "@sallyport/client/error";
import { toSallyportError } from "@sallyport/client/reading";
import {
  type Machine,
  MachineSchema,
  MachineState,
} from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import type { Project } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import type { Secret } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { isId } from "@sallyport/proto/ids";
import { CliError, UsageError } from "../app/failure.ts";
import { everyPage, fewAtOnce } from "./pages.ts";
import { secretKeyOf } from "../values/key.ts";

type With<S extends keyof Services> = { readonly services: Pick<Services, S> };

/** A project's id and name. */
export type NamedProject = { readonly projectId: string; readonly name: string };

/**
 * Finds a project by id or name.
 *
 * Security: the answer is not signed. The half that was typed comes back as typed, whatever the
 * gateway answered; what is sealed for both halves opens only where they belong together.
 */
export async function findProject(client: With<"projects">, key: string): Promise<NamedProject> {
  const { projectId, name } = await describeProject(client, key);
  return isId("prj", key) ? { projectId: key, name } : { projectId, name: key };
}

/** Describes a project, found by id (also when it is deleted) or by name. Throws NOT_FOUND. */
export async function describeProject(client: With<"projects">, key: string): Promise<Project> {
  const request = isId("prj", key)
    ? { key: { case: "projectId" as const, value: key }, showDeleted: true }
    : { key: { case: "name" as const, value: key } };
  const answer = await client.services.projects.getProject(request).catch(undefinedIfAbsent);
  return present(answer?.project, `project ${key}`);
}

/** All projects of the vault by name, the deleted ones too when asked. */
export function everyProject(client: With<"projects">, showDeleted = false): Promise<Project[]> {
  return everyPage(async (pageToken) => {
    const { projects, nextPageToken } = await client.services.projects.listProjects({
      pageSize: 1000,
      pageToken,
      showDeleted,
    });
    return { items: projects, nextPageToken };
  });
}

/** Finds a deleted project by id or by the name that it had. Throws NOT_FOUND or NAME_AMBIGUOUS. */
export async function findDeletedProject(client: With<"projects">, key: string): Promise<string> {
  if (isId("prj", key)) return key;
  const projects = (await everyProject(client, true)).filter(
    ({ name, deletedAt }) => name === key && deletedAt,
  );
  return onlyOne(
    projects.map(({ projectId }) => projectId),
    `deleted project ${key}`,
  );
}

/**
 * Finds a deleted secret by id or by the name that it had in a project. Throws NOT_FOUND or
 * NAME_AMBIGUOUS.
 */
export async function findDeletedSecret(
  client: With<"projects" | "secrets">,
  key: string,
  project: string | undefined,
): Promise<string> {
  if (isId("sec", key)) return key;
  const { project: prefix, name: wanted } = secretKeyOf(key);
  const within = oneProject(prefix, project);
  const projects =
    within === undefined ? await everyProject(client) : [await findProject(client, within)];
  const secrets = await fewAtOnce(projects, ({ projectId }) =>
    everySecret(client, projectId, true),
  );
  const named = secrets.flat().filter(({ name, deletedAt }) => name === wanted && deletedAt);
  return onlyOne(
    named.map(({ secretId }) => secretId),
    `deleted secret ${key}`,
  );
}

/** All secrets of a project by name, the deleted ones too when asked. */
export function everySecret(
  client: With<"secrets">,
  projectId: string,
  showDeleted = false,
): Promise<Secret[]> {
  return everyPage(async (pageToken) => {
    const { secrets, nextPageToken } = await client.services.secrets.listSecrets({
      projectId,
      pageSize: 1000,
      pageToken,
      showDeleted,
    });
    return { items: secrets, nextPageToken };
  });
}

function onlyOne(ids: readonly string[], what: string): string {
  const [first] = ids;
  const only = present(first, what);
  if (ids.length === 1) return only;
  throw new CliError("NAME_AMBIGUOUS", `${ids.length} were called so: ${ids.join(", ")}`, {
    next: "choose one of them by its id",
  });
}

/** Finds a secret by name in a project. Throws NOT_FOUND. */
export async function findSecret(
  client: With<"secrets">,
  projectId: string,
  name: string,
): Promise<Secret> {
  const answer = await client.services.secrets
    .getSecret({ projectId, name })
    .catch(undefinedIfAbsent);
  return present(answer?.secret, `secret ${name} in this project`);
}

/**
 * Finds a secret by id (also when it is deleted), as project/NAME, or by name in a project or,
 * without one, in whichever has it. Throws NOT_FOUND, or NAME_AMBIGUOUS for a name in several
 * projects.
 */
export async function locateSecret(
  client: With<"projects" | "secrets">,
  key: string,
  project: string | undefined,
): Promise<Secret> {
  if (isId("sec", key)) return describeSecret(client, key);
  const { project: prefix, name } = secretKeyOf(key);
  const within = oneProject(prefix, project);
  if (within !== undefined)
    return findSecret(client, (await findProject(client, within)).projectId, name);
  const projects = await everyProject(client);
  const found = await fewAtOnce(projects, ({ projectId }) =>
    findSecret(client, projectId, key).catch(undefinedIfAbsent),
  );
  const secrets = found.filter((secret) => secret !== undefined);
  const [first] = secrets;
  const only = present(first, `secret ${key}`);
  if (secrets.length === 1) return only;
  const names = projects.flatMap(({ name }, index) => (found[index] ? [name] : []));
  throw new CliError("NAME_AMBIGUOUS", `${key} is in ${names.join(" and ")}`);
}

/**
 * The project that stands before a secret's name or that --project says. Throws UsageError for two
 * that differ.
 */
export function oneProject(
  prefix: string | undefined,
  project: string | undefined,
): string | undefined {
  if (prefix === undefined || project === undefined || prefix === project) return prefix ?? project;
  throw new UsageError("the name and --project say two projects", "omit one of them");
}

async function describeSecret(client: With<"secrets">, secretId: string): Promise<Secret> {
  const request = { secretId, showDeleted: true };
  const answer = await client.services.secrets.getSecret(request).catch(undefinedIfAbsent);
  return present(answer?.secret, `secret ${secretId}`);
}

const living: ReadonlySet<MachineState> = new Set([
  MachineState.PROVISIONING,
  MachineState.ACTIVE,
  MachineState.DISABLED,
]);

/**
 * Finds a machine by id or name. Names need not be unique: one that is not ended goes before those
 * that are. Throws NOT_FOUND, or NAME_AMBIGUOUS when several of the name would do.
 */
export async function findMachine(client: With<"machines">, key: string): Promise<Machine> {
  if (isId("mch", key)) {
    const answer = await client.services.machines
      .getMachine({ machineId: key })
      .catch((error: unknown) => unseen(error, key) ?? undefinedIfAbsent(error));
    return present(answer?.machine, `machine ${key}`);
  }
  const named = await everyPage(async (pageToken) => {
    const { machines, nextPageToken } = await client.services.machines.listMachines({
      pageSize: 200,
      pageToken,
      name: key,
    });
    return { items: machines, nextPageToken };
  });
  const alive = named.filter(({ state }) => living.has(state));
  const candidates = alive.length > 0 ? alive : named;
  const [first] = candidates;
  const only = present(first, `machine ${key}`);
  if (candidates.length === 1) return only;
  const ids = candidates.slice(0, 3).map(({ machineId }) => machineId);
  throw new CliError(
    "NAME_AMBIGUOUS",
    `${candidates.length} machines are called ${key}: ${ids.join(", ")}, …`,
    {
      next: 'name it by its id; "sallyport machine list" shows them',
    },
  );
}

// A manager of a project says what machines may read there, by their ids, and may not look machines
// up.
function unseen(error: unknown, machineId: string): { readonly machine: Machine } | undefined {
  if (toSallyportError(error).reason !== "ROLE_REQUIRED") return undefined;
  return { machine: create(MachineSchema, { machineId, name: machineId }) };
}

/** Undefined for what is not there; anything else is thrown on. */
export function undefinedIfAbsent(error: unknown): undefined {
  const known = toSallyportError(error);
  if (known.reason === "NOT_FOUND") return undefined;
  throw known;
}

/**
 * The thing found. Throws NOT_FOUND in terms of what was typed: the server does not repeat
 * them.
 */
export function present<T>(found: T | undefined, what: string): T {
  if (found === undefined) throw new SallyportError("NOT_FOUND", `there is no ${what}`);
  return found;
}
