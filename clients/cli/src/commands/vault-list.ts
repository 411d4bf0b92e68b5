import { defineCommand } from "../definition/define.ts";
import { boolean, listOf, nullable, object, text, time } from "../definition/shape.ts";
import { relativeTime } from "../terminal/time.ts";
import { localVaults, readCurrentVault } from "../vaults/folder.ts";

const identityShape = (means: string) =>
  object(
    { id: text("its id"), name: text("its name"), expiresAt: time("when its key stops working") },
    means,
  );

/** `sallyport vault list`: the vaults that this computer has identities of. */
export const vaultList = defineCommand({
  args: {},
  options: {},
  examples: [["sallyport vault list", "the current one is marked"]],
  json: listOf(
    object({
      vaultId: text("the vault's id"),
      name: nullable(text("its name; null when it was not asked for")),
      current: boolean("whether commands use it"),
      url: text("where its gateway answers"),
      user: nullable(identityShape("this computer's user there; null when there is none")),
      machine: nullable(identityShape("this computer's machine there; null when there is none")),
    }),
  ),
  async run({ context: { env } }) {
    const [vaults, current] = await Promise.all([localVaults(env), readCurrentVault(env)]);
    return vaults.map(({ vaultId, name = null, identities }) => {
      const { user, machine } = identities;
      const summary = (identity: typeof user) =>
        identity
          ? { id: identity.principalId, name: identity.name, expiresAt: identity.expiresAt }
          : null;
      const url = (user ?? machine)?.url ?? "";
      return {
        vaultId,
        name,
        current: vaultId === current,
        url,
        user: summary(user),
        machine: summary(machine),
      };
    });
  },
  show(vaults, screen) {
    const identity = (of: { name: string; expiresAt: string } | null): string =>
      of === null ? "-" : `${of.name}, ${expiry(of.expiresAt)}`;
    screen.table(
      [
        { title: " ", cell: ({ current }) => (current ? "*" : " "), style: () => "green" },
        { title: "VAULT", cell: ({ name, vaultId }) => name ?? vaultId, min: 10 },
        { title: "USER", cell: ({ user }) => identity(user), min: 10 },
        { title: "MACHINE", cell: ({ machine }) => identity(machine), min: 10 },
        { title: "GATEWAY", cell: ({ url }) => url, min: 12 },
        { title: "ID", cell: ({ vaultId }) => vaultId, min: 12, style: () => "dim" },
      ],
      vaults,
      'This computer has no identity yet: run "sallyport login" or "sallyport enroll".',
    );
  },
});

function expiry(rfc3339: string): string {
  return Date.parse(rfc3339) <= Date.now() ? "expired" : relativeTime(rfc3339);
}
