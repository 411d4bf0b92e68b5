import { type Services, toSallyportError } from "@sallyport/client";
import { isId } from "@sallyport/proto/ids";
import { everyProject } from "./lookup.ts";
import { everyPage, partsOf } from "./pages.ts";

/**
 * Names by id. An id that this user may not look up, or that no longer exists, has none.
 */
export type Names = ReadonlyMap<string, string>;

/** The part of a client that looking up names needs. */
export type NameSource = {
  readonly services: Pick<Services, "machines" | "users" | "projects" | "secrets">;
};

const batch = 200;

/**
 * Looks up what these ids are called. Ids of other kinds, and those in `known`, are not asked for.
 */
export async function namesOf(
  client: NameSource,
  ids: readonly string[],
  known: Names = new Map(),
): Promise<Names> {
  const missing = [...new Set(ids)].filter((id) => !known.has(id));
  const of = (prefix: "mch" | "usr" | "prj" | "sec"): string[] =>
    missing.filter((id) => isId(prefix, id));
  const parts = await Promise.all([
    machineNames(client, of("mch")),
    of("usr").length > 0 ? userNames(client) : [],
    of("prj").length > 0 ? projectNames(client) : [],
    secretNames(client, of("sec")),
  ]);
  return new Map([...known, ...parts.flat()]);
}

/** A name where one is known, else the id itself. */
export function nameOr(names: Names, id: string): string {
  return names.get(id) ?? id;
}

type Pairs = (readonly [id: string, name: string])[];

async function machineNames({ services }: NameSource, ids: readonly string[]): Promise<Pairs> {
  const answers = await Promise.all(
    partsOf(ids, batch).map((machineIds) =>
      allowed(services.machines.batchGetMachines({ machineIds })),
    ),
  );
  return answers
    .flatMap((answer) => answer?.machines ?? [])
    .map(({ machineId, name }) => [machineId, name]);
}

async function secretNames({ services }: NameSource, ids: readonly string[]): Promise<Pairs> {
  const answers = await Promise.all(
    partsOf(ids, batch).map((secretIds) =>
      services.secrets.batchGetSecrets({ secretIds, showDeleted: true }),
    ),
  );
  return answers.flatMap(({ secrets }) => secrets).map(({ secretId, name }) => [secretId, name]);
}

async function projectNames(client: NameSource): Promise<Pairs> {
  return (await everyProject(client, true)).map(({ projectId, name }) => [projectId, name]);
}

async function userNames({ services }: NameSource): Promise<Pairs> {
  const users = await allowed(
    everyPage(async (pageToken) => {
      const page = await services.users.listUsers({ pageSize: batch, pageToken });
      return { items: page.users, nextPageToken: page.nextPageToken };
    }),
  );
  return (users ?? []).map(({ userId, name }) => [userId, name]);
}

/**
 * The answer, or undefined where the role may not ask: a developer sees secrets and not
 * people or machines.
 */
export function allowed<T>(asked: Promise<T>): Promise<T | undefined> {
  return asked.catch((error: unknown) => {
    const known = toSallyportError(error);
    if (known.reason === "ROLE_REQUIRED") return undefined;
    throw known;
  });
}
