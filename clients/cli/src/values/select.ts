import { SallyportError } from "@sallyport/client/error";
import { type ReadResult, type Reader, toSallyportError } from "@sallyport/client/reading";
import { isId } from "@sallyport/proto/ids";
import { CliError } from "../app/failure.ts";
import { secretKeyOf } from "./key.ts";

/** A secret that was read, with the name of its project where the selection took a listing. */
export type ReadSecret = Extract<ReadResult, { readonly kind: "value" }> & {
  readonly project?: string;
};

/**
 * Which secrets: of one project, and only those named (by name, id or project/name), or all that
 * may be read but some. `withProjects` asks for the names of projects where it would do without.
 */
export type Selection = {
  readonly project: string | undefined;
  readonly named: readonly string[];
  readonly except?: readonly string[];
  readonly withProjects?: boolean;
};

/** The part of a client that reading needs. */
export type ReadingClient = Pick<Reader, "read" | "listReadable" | "checkDeployment">;

type Readable = Awaited<ReturnType<Reader["listReadable"]>>[number];

// 40 values of 64 KiB are less than the 3 MiB that a reply may have.
const batch = 40;

/**
 * Reads what is selected and nothing else, so that what is not needed is not in the record: in the
 * order in which it was named, else by name. Throws NOT_GRANTED for a name that this machine may
 * not read, NAME_AMBIGUOUS for one in several projects, and REPLY_UNTRUSTED when what was signed
 * has another name than was asked for: the listing that gave the id is not signed.
 */
export async function readSelected(
  client: ReadingClient,
  selection: Selection,
): Promise<ReadSecret[]> {
  const { project, named, except = [], withProjects = false } = selection;
  if (except.length > 0) return readAllBut(client, except, project);
  if (named.length > 0) return readNamed(client, named, project);
  const [results, readable] = await Promise.all([
    targetOf(client, project).then((target) => client.read(target)),
    withProjects ? client.listReadable() : [],
  ]);
  return byName(withProjectsOf(readable, valuesOf(results)));
}

async function readNamed(
  client: ReadingClient,
  named: readonly string[],
  project: string | undefined,
): Promise<ReadSecret[]> {
  const { ids, readable } = await found(client, { project, named });
  const secrets = withProjectsOf(readable, await readIds(client, ids));
  const byId = new Map(secrets.map((secret) => [secret.secretId, secret]));
  return named.map((name, index) => checkName(byId.get(ids[index] ?? ""), name));
}

// A name that is not there is refused: mistyped, it would let pass what was to be left out.
async function readAllBut(
  client: ReadingClient,
  except: readonly string[],
  project: string | undefined,
): Promise<ReadSecret[]> {
  const [readable] = await Promise.all([client.listReadable(), client.checkDeployment()]);
  const inProject = readable.filter(isOf(project));
  const left = new Set(except.map((key) => idOf(inProject, key)));
  const wanted = inProject.filter(({ secretId }) => !left.has(secretId));
  const ids = wanted.map(({ secretId }) => secretId);
  const byId = new Map((await readIds(client, ids)).map((secret) => [secret.secretId, secret]));
  const secrets = wanted.map(({ secretId, name }) => checkName(byId.get(secretId), name));
  return byName(withProjectsOf(readable, secrets));
}

async function readIds(client: ReadingClient, ids: readonly string[]): Promise<ReadSecret[]> {
  const unique = [...new Set(ids)];
  const secrets: ReadSecret[] = [];
  for (let at = 0; at < unique.length; at += batch)
    secrets.push(...valuesOf(await client.read({ secretIds: unique.slice(at, at + batch) })));
  return secrets;
}

function byName(secrets: readonly ReadSecret[]): ReadSecret[] {
  return secrets.toSorted((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
}

function withProjectsOf(
  readable: readonly Readable[],
  secrets: readonly ReadSecret[],
): ReadSecret[] {
  const projects = new Map(readable.map(({ secretId, projectName }) => [secretId, projectName]));
  return secrets.map((secret) => {
    const project = projects.get(secret.secretId);
    return project === undefined ? secret : { ...secret, project };
  });
}

/**
 * Reads one secret by name, id or project/name: the current version unless another is named. The
 * current one by its number takes no grant of former versions.
 */
export async function readOne(
  client: ReadingClient,
  name: string,
  project: string | undefined,
  version: number | undefined,
): Promise<ReadSecret> {
  const list = version !== undefined;
  const { ids, readable } = await found(client, { project, named: [name] }, list);
  const [secretId = ""] = ids;
  const current = readable.find((secret) => secret.secretId === secretId)?.version;
  const read = async (named: number | undefined): Promise<ReadSecret> => {
    const target = { secretIds: [secretId], ...(named === undefined ? {} : { version: named }) };
    return checkName(
      valuesOf(await client.read(target)).find((secret) => secret.secretId === secretId),
      name,
    );
  };
  if (version === undefined) return read(undefined);
  if (version === current) {
    const secret = await read(undefined);
    // Another one may have become current meanwhile.
    if (secret.version === version) return secret;
  }
  return read(version).catch((error: unknown) => {
    const known = toSallyportError(error);
    if (known.reason !== "NOT_GRANTED") throw known;
    throw new SallyportError("NOT_GRANTED", `no grant covers version ${version} of ${name}`);
  });
}

async function targetOf(client: ReadingClient, project: string | undefined) {
  if (project === undefined) return { allGranted: true } as const;
  if (isId("prj", project)) return { projectId: project };
  const readable = await client.listReadable();
  const ids = new Set(readable.filter(isOf(project)).map(({ projectId }) => projectId));
  const [projectId] = ids;
  if (projectId === undefined)
    throw new SallyportError("NOT_GRANTED", `no grant covers anything in the project ${project}`);
  return { projectId };
}

/**
 * The ids of what was named, and what may be read, where that had to be asked for, or is wanted
 * anyway.
 */
async function found(
  client: ReadingClient,
  { project, named }: Selection,
  list = false,
): Promise<{ readonly ids: string[]; readonly readable: readonly Readable[] }> {
  if (!list && named.every((name) => isId("sec", name))) return { ids: [...named], readable: [] };
  // The keys that the reply will be checked with are fetched meanwhile.
  const [readable] = await Promise.all([client.listReadable(), client.checkDeployment()]);
  const inProject = readable.filter(isOf(project));
  const ids = named.map((name) => (isId("sec", name) ? name : idOf(inProject, name)));
  return { ids, readable };
}

function isOf(project: string | undefined): (secret: Readable) => boolean {
  return ({ projectId, projectName }) =>
    project === undefined || [projectId, projectName].includes(project);
}

function idOf(readable: readonly Readable[], key: string): string {
  const { project, name } = secretKeyOf(key);
  const matching = readable.filter(
    (secret) => (secret.name === name || secret.secretId === name) && isOf(project)(secret),
  );
  const [only] = matching;
  if (matching.length > 1) {
    const projects = matching.map(({ projectName }) => projectName);
    throw new CliError("NAME_AMBIGUOUS", `${name} is in ${projects.join(" and ")}`, {
      next: `choose with --project, or name it with its project, such as ${projects[0]}/${name}`,
    });
  }
  // The same words whether it does not exist or was not granted: the difference is not this
  // machine's to know.
  if (!only) throw new SallyportError("NOT_GRANTED", `no grant covers ${key}`);
  return only.secretId;
}

function checkName(secret: ReadSecret | undefined, asked: string): ReadSecret {
  if (!secret) throw new SallyportError("NOT_GRANTED", `${asked} cannot be read`);
  const { name } = secretKeyOf(asked);
  if (!isId("sec", name) && secret.name !== name)
    throw new SallyportError(
      "REPLY_UNTRUSTED",
      `the reply cannot be trusted: it is not about ${asked}`,
    );
  return secret;
}

function valuesOf(results: readonly ReadResult[]): ReadSecret[] {
  return results.map((result) => {
    if (result.kind === "value") return result;
    const { secretId, reason, metadata, retryAfterMs, nextStep } = result;
    const sentence = `${secretId} was refused${nextStep === "" ? "" : `: ${nextStep}`}`;
    const details = { metadata, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
    throw new SallyportError({ told: reason }, sentence, details);
  });
}
