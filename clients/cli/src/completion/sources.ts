import type { Context } from "../app/context.ts";
import { deviceName } from "../find/people.ts";
import { localVaults } from "../vaults/folder.ts";

/** A source of names for completion: the server, or this computer's files. */
export type NameSource = keyof typeof sources;

/** The completion of an option or argument: some words, files, or names of a source. */
export type CompletionSource = { readonly words: readonly string[] } | "files" | NameSource;

const unique = (names: readonly string[]): string[] => [...new Set(names)].toSorted();

/** Each source of names. What it throws is not shown: the shell then offers nothing. */
export const sources = {
  vaults: async ({ env }: Context) =>
    (await localVaults(env)).map(({ name, vaultId }) => name ?? vaultId),
  readableSecrets: async ({ session }: Context) =>
    unique((await session.asMachine((client) => client.listReadable())).map(({ name }) => name)),
  readableProjects: async ({ session }: Context) =>
    unique(
      (await session.asMachine((client) => client.listReadable())).map(
        ({ projectName }) => projectName,
      ),
    ),
  projects: ({ session }: Context) =>
    session.asUser(async (client) =>
      (await client.services.projects.listProjects({ pageSize: 200 })).projects.map(
        ({ name }) => name,
      ),
    ),
  machines: ({ session }: Context) =>
    session.asUser(async ({ services }) => {
      const { MachineState } =
        await import("@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts");
      const states = [MachineState.ACTIVE, MachineState.DISABLED];
      const { machines } = await services.machines.listMachines({ pageSize: 200, states });
      return unique(machines.map(({ name }) => name));
    }),
  secrets: ({ session }: Context) =>
    session.asUser(async (client) => {
      const [{ everyProject, everySecret }, { fewAtOnce }] = await Promise.all([
        import("../find/lookup.ts"),
        import("../find/pages.ts"),
      ]);
      const projects = await everyProject(client);
      const secrets = await fewAtOnce(projects, ({ projectId }) => everySecret(client, projectId));
      return unique(secrets.flat().map(({ name }) => name));
    }),
  deletedProjects: ({ session }: Context) =>
    session.asUser(async ({ services }) => {
      const { projects } = await services.projects.listProjects({
        pageSize: 200,
        showDeleted: true,
      });
      return unique(projects.flatMap(({ name, deletedAt }) => (deletedAt ? [name] : [])));
    }),
  users: ({ session }: Context) =>
    session.asUser(async ({ services: { users } }) =>
      (await users.listUsers({ pageSize: 200 })).users.map(({ name }) => name),
    ),
  tokens: ({ session }: Context) =>
    session.asUser(async ({ services: { enrollment } }) =>
      (await enrollment.listTokens({ pageSize: 200 })).tokens.map(({ tokenId }) => tokenId),
    ),
  devices: ({ session }: Context) =>
    session.asUser(async ({ services: { users } }) =>
      (await users.listUsers({ pageSize: 200 })).users.flatMap(({ devices }) =>
        devices.map(({ keyId }) => deviceName(keyId)),
      ),
    ),
  loginCodes: ({ session }: Context) =>
    session.asUser(async ({ services: { users } }) =>
      (await users.listLoginCodes({ pageSize: 200 })).loginCodes.flatMap(
        ({ codeId, redeemedAt, revokedAt }) => ((redeemedAt ?? revokedAt) ? [] : [codeId]),
      ),
    ),
} satisfies Readonly<Record<string, (context: Context) => Promise<readonly string[]>>>;
