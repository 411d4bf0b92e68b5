import { atNamedEndpoint } from "../vaults/endpoint.ts";
import {
  type Identity,
  SallyportError,
  loadIdentity,
  openSallyport,
  toSallyportError,
} from "@sallyport/client";
import { erasePrivateFile } from "@sallyport/client/private-file";
import { defineCommand } from "../definition/define.ts";
import { choice, flag } from "../definition/options.ts";
import { listOf, object, text } from "../definition/shape.ts";
import type { Context } from "../app/context.ts";
import { CliError } from "../app/failure.ts";
import { userAgent } from "../app/session.ts";
import { chooseVault, identityPathOf, namedVaultOf } from "../vaults/choose.ts";
import {
  forgetCurrentVault,
  identityFile,
  localVaults,
  readCurrentVault,
} from "../vaults/folder.ts";

const kinds = ["user", "machine"] as const;
type Kind = (typeof kinds)[number];

/**
 * `sallyport logout`: ends this computer's keys at the server and removes their identities from
 * this computer.
 */
export const logout = defineCommand({
  description:
    "Ends the keys of the current vault (or of --vault) at the server, overwrites them here " +
    "and removes their files. A machine is revoked by this. If the server cannot be reached " +
    "the files are removed all the same, and the command names what to end there by hand. The " +
    "last key of the last owner of a vault stays.",
  args: {},
  options: {
    as: choice("only this identity; both if not given", kinds),
    all: flag("of every vault"),
    localOnly: flag("only remove the files; the server is not notified, and the keys keep working"),
  },
  examples: [
    ["sallyport logout", "leave the current vault"],
    ["sallyport logout --as machine", "the machine's identity alone"],
    ["sallyport logout --all --local-only", "clean a computer that has no way to its servers"],
  ],
  json: object({
    removed: listOf(text("a file that was removed")),
    ended: listOf(text("the keyid of a key that no longer works")),
    notEnded: listOf(
      object({ keyId: text("the key's keyid"), reason: text("why it was not ended") }),
      "keys that may go on working",
    ),
  }),
  async run({ options: { as, all, localOnly }, context }) {
    const removed: string[] = [];
    const ended: string[] = [];
    const notEnded: { keyId: string; reason: string }[] = [];
    for (const path of await pathsOf(context, as === undefined ? kinds : [as], all)) {
      const identity = await identityAt(path, context, as);
      const failure = identity && !localOnly ? await signOut(identity, context) : undefined;
      if (identity && failure) notEnded.push({ keyId: identity.keyId, reason: failure.reason });
      else if (identity && !localOnly) ended.push(identity.keyId);
      for (const file of [path, `${path}.pending`])
        if (await erasePrivateFile(file)) removed.push(file);
    }
    await forgetIfGone(context);
    return { removed, ended, notEnded };
  },
  show({ removed, ended, notEnded }, screen, { options: { localOnly } }) {
    if (removed.length === 0) screen.line("There was nothing to remove.");
    for (const path of removed) screen.mark("ok", `removed ${path}`);
    for (const keyId of ended) screen.mark("ok", `ended at the server: ${keyId}`);
    for (const { keyId, reason } of notEnded) {
      screen.mark("warn", `not ended at the server (${reason}): ${keyId}`);
      screen.line(`  ${byHand(keyId)}`);
    }
    if (localOnly && removed.length > 0)
      screen.mark("warn", "the server was not notified: copies of the keys work until they expire");
  },
});

// A file that is no identity is not ours to remove, and the key of an identity that others may read
// has to be revoked: neither is skipped.
async function identityAt(
  path: string,
  { choice }: Context,
  as?: Kind,
): Promise<Identity | undefined> {
  const identity = await loadIdentity(path).catch((error: unknown) => {
    if (error instanceof SallyportError && error.reason === "IDENTITY_MISSING") return undefined;
    throw error;
  });
  if (!identity) return undefined;
  const { kind, vaultId, vaultName } = identity;
  const vault = namedVaultOf(choice);
  if ((as ?? kind) === kind && (vault === undefined || [vaultId, vaultName].includes(vault)))
    return identity;
  throw new CliError(
    "IDENTITY_UNFIT",
    `${path} is a ${kind}'s identity of ${vaultId}, and another was named`,
    {
      next: "leave --identity, SALLYPORT_IDENTITY or what names the other out",
    },
  );
}

function byHand(keyId: string): string {
  return keyId.startsWith("mch_")
    ? `An admin ends it with "sallyport machine revoke ${keyId}".`
    : `An owner ends it with "sallyport device revoke ${keyId}".`;
}

const patienceMs = 10_000;

/**
 * Ends a key at the server; what it fails with, unless the key had ended before. Throws CliError
 * for the last owner.
 */
async function signOut(identity: Identity, context: Context): Promise<SallyportError | undefined> {
  if (Date.parse(identity.expiresAt) <= Date.now()) return undefined;
  const signal = AbortSignal.timeout(Math.min(context.globals.timeoutMs, patienceMs));
  const { env, onMoved } = context.choice;
  const reached = await atNamedEndpoint(identity, env, onMoved);
  const client = openSallyport(reached, "connect", { userAgent, signal });
  try {
    await context.progress.during(`waiting for ${new URL(reached.url).host}`, () =>
      client.services.users.signOut({}),
    );
    return undefined;
  } catch (error) {
    const failure = toSallyportError(error);
    if (failure.reason === "LAST_OWNER")
      throw new CliError(
        "LAST_OWNER",
        `${identity.name} is the last owner, and this is their last device`,
        {
          next:
            '"sallyport user invite --role owner" or "sallyport device add" first, or give ' +
            "the vault up with --local-only",
        },
      );
    return hadEnded(identity, failure) ? undefined : failure;
  } finally {
    client.close();
  }
}

// A machine that is disabled can be enabled again; a device cannot.
function hadEnded({ kind }: Identity, { reason }: SallyportError): boolean {
  return reason === "MACHINE_EXPIRED" || (kind === "user" && reason === "MACHINE_DISABLED");
}

async function pathsOf(context: Context, wanted: readonly Kind[], all: boolean): Promise<string[]> {
  const { env, choice } = context;
  const chosen = identityPathOf(choice);
  if (chosen !== undefined) return [chosen];
  const vaults = all ? await localVaults(env) : [await chooseVault(choice, wanted)];
  return vaults.flatMap(({ vaultId }) => wanted.map((kind) => identityFile(env, vaultId, kind)));
}

async function forgetIfGone({ env }: Context): Promise<void> {
  const [current, vaults] = await Promise.all([readCurrentVault(env), localVaults(env)]);
  if (current !== undefined && !vaults.some(({ vaultId }) => vaultId === current))
    await forgetCurrentVault(env);
}
