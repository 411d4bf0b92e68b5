import { SallyportError } from "@sallyport/client/error";
import { type ReadResult, type Reader, toSallyportError } from "@sallyport/client/reading";
import { isId } from "@sallyport/proto/ids";
import { CliError } from "../failure.ts";

/** A secret that was read. */
export type ReadSecret = Extract<ReadResult, { readonly kind: "value" }>;

/** Which secrets: of one project, and only those named (by name or id), or all that may be read. */
export type Selection = {
  readonly project: string | undefined;
  readonly named: readonly string[];
};

/** What reading needs of a client. */
export type ReadingClient = Pick<Reader, "read" | "listReadable" | "checkDeployment">;

type Readable = Awaited<ReturnType<Reader["listReadable"]>>[number];

// 40 values of 64 KiB are less than the 3 MiB that a reply may have.
const batch = 40;

/**
 * Reads what is selected and nothing else, so that what is not needed is not in the record: in the order in which it was
 * named, else by name. Throws NOT_GRANTED for a name that this machine may not read, NAME_AMBIGUOUS for one in several projects, and
 * REPLY_UNTRUSTED when what was signed has another name than was asked for: the listing that gave the id is not signed.
 */
export async function readSelected(client: ReadingClient, selection: Selection): Promise<ReadSecret[]> {
  const { project, named } = selection;
  if (named.length === 0) {
    const all = valuesOf(await client.read(await targetOf(client, project)));
    return all.toSorted((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
  }
  const ids = await idsOf(client, selection);
  const unique = [...new Set(ids)];
  const secrets: ReadSecret[] = [];
  for (let at = 0; at < unique.length; at += batch)
    secrets.push(...valuesOf(await client.read({ secretIds: unique.slice(at, at + batch) })));
  const byId = new Map(secrets.map((secret) => [secret.secretId, secret]));
  return named.map((name, index) => checkName(byId.get(ids[index] ?? ""), name));
}

/** Reads one secret by name or id, the current version unless another is named. */
export async function readOne(
  client: ReadingClient,
  name: string,
  project: string | undefined,
  version: number | undefined,
): Promise<ReadSecret> {
  const [secretId = ""] = await idsOf(client, { project, named: [name] });
  const target = { secretIds: [secretId], ...(version === undefined ? {} : { version }) };
  const results = await client.read(target).catch((error: unknown) => {
    const known = toSallyportError(error);
    if (known.reason !== "NOT_GRANTED" || version === undefined) throw known;
    throw new SallyportError("NOT_GRANTED", `no grant covers version ${version} of ${name}`);
  });
  return checkName(
    valuesOf(results).find((secret) => secret.secretId === secretId),
    name,
  );
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

async function idsOf(client: ReadingClient, { project, named }: Selection): Promise<string[]> {
  if (named.every((name) => isId("sec", name))) return [...named];
  // The keys that the reply will be checked with are fetched meanwhile.
  const [readable] = await Promise.all([client.listReadable(), client.checkDeployment()]);
  const inProject = readable.filter(isOf(project));
  return named.map((name) => (isId("sec", name) ? name : idOf(inProject, name)));
}

function isOf(project: string | undefined): (secret: Readable) => boolean {
  return ({ projectId, projectName }) => project === undefined || [projectId, projectName].includes(project);
}

function idOf(readable: readonly Readable[], name: string): string {
  const found = readable.filter((secret) => secret.name === name);
  const [only] = found;
  if (found.length > 1)
    throw new CliError(
      "NAME_AMBIGUOUS",
      `${name} is in ${found.map(({ projectName }) => projectName).join(" and ")}`,
    );
  // The same words whether it does not exist or was not granted: the difference is not this machine's to know.
  if (!only) throw new SallyportError("NOT_GRANTED", `no grant covers ${name}`);
  return only.secretId;
}

function checkName(secret: ReadSecret | undefined, asked: string): ReadSecret {
  if (!secret) throw new SallyportError("NOT_GRANTED", `${asked} cannot be read`);
  if (!isId("sec", asked) && secret.name !== asked)
    throw new SallyportError("REPLY_UNTRUSTED", `the reply cannot be trusted: it is not about ${asked}`);
  return secret;
}

function valuesOf(results: readonly ReadResult[]): ReadSecret[] {
  return results.map((result) => {
    if (result.kind === "value") return result;
    throw new SallyportError({ told: result.reason }, `${result.secretId} was refused`);
  });
}
