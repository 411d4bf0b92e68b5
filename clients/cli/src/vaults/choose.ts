import { type Identity, loadIdentity } from "@sallyport/client/identity";
import { maxCorrectionMs } from "@sallyport/client/clock";
import { isId } from "@sallyport/proto/ids";
import { CliError } from "../app/failure.ts";
import { atNamedEndpoint } from "./endpoint.ts";
import { type LocalVault, localVaults, readCurrentVault } from "./folder.ts";

/**
 * The choice of an identity: global options before the environment, a path before a vault.
 */
export type Choice = {
  readonly env: NodeJS.ProcessEnv;
  /** --identity. */
  readonly identity: string | undefined;
  /** --vault: an id or a name. */
  readonly vault: string | undefined;
  /** Told when SALLYPORT_URL names another gateway than the identity does. */
  readonly onMoved?: (text: string) => void;
};

/** The path that --identity or SALLYPORT_IDENTITY names; undefined when neither does. */
export function identityPathOf({ env, identity }: Choice): string | undefined {
  return identity ?? (env["SALLYPORT_IDENTITY"] || undefined);
}

/** The vault that --vault or SALLYPORT_VAULT names; undefined when neither does. */
export function namedVaultOf({ env, vault }: Choice): string | undefined {
  return vault ?? (env["SALLYPORT_VAULT"] || undefined);
}

/**
 * The identity to act as, of one of the kinds, the first preferred. A path that was named wins;
 * else it is of the vault that was named, the current one, or the only one. It is reached at
 * SALLYPORT_URL, when that is set. Throws IDENTITY_MISSING, IDENTITY_UNFIT, IDENTITY_EXPIRED,
 * VAULT_UNKNOWN or VAULT_UNCLEAR: never an identity of another vault than was named.
 */
export async function chooseIdentity(
  choice: Choice,
  kinds: readonly Identity["kind"][],
): Promise<Identity> {
  const path = identityPathOf(choice);
  const identity = path === undefined ? await ofVault(choice, kinds) : await loadIdentity(path);
  if (!kinds.includes(identity.kind))
    throw new CliError(
      "IDENTITY_UNFIT",
      `${path ?? "that"} is a ${identity.kind}'s identity, and this takes a ${kinds[0] ?? ""}'s`,
      path !== undefined && kinds[0] === "machine"
        ? { next: `leave it out, or name a machine's; ${howToBecome("machine")}` }
        : {},
    );
  const named = namedVaultOf(choice);
  if (named !== undefined && ![identity.vaultId, identity.vaultName].includes(named))
    throw new CliError(
      "IDENTITY_UNFIT",
      `${path ?? "that"} is an identity of ${identity.vaultId}, not of ${named}`,
      {
        next: "name the vault of that identity, or leave one of the two out",
      },
    );
  // This computer's clock may be wrong by as much as is corrected: until then the server says
  // whether it has expired.
  if (Date.parse(identity.expiresAt) + maxCorrectionMs <= Date.now())
    throw new CliError(
      "IDENTITY_EXPIRED",
      `this ${identity.kind}'s identity has expired (${identity.expiresAt})`,
      {
        next:
          identity.kind === "user"
            ? 'ask for a login code and run "sallyport login"'
            : 'put an enrollment token into SALLYPORT_ENROLLMENT_TOKEN and run "sallyport enroll"',
      },
    );
  return atNamedEndpoint(identity, choice.env, choice.onMoved);
}

async function ofVault(choice: Choice, kinds: readonly Identity["kind"][]): Promise<Identity> {
  const vault = await chooseVault(choice, kinds);
  const [identity] = kinds.flatMap((kind) => vault.identities[kind] ?? []);
  if (identity) return identity;
  const [kind = "user"] = kinds;
  throw new CliError(
    "IDENTITY_UNFIT",
    `this computer has no ${kind}'s identity of ${vault.name ?? vault.vaultId}`,
    { next: howToBecome(kind) },
  );
}

// Someone who logged in and asks for a value has done nothing wrong: values are for machines alone.
function howToBecome(kind: Identity["kind"]): string {
  return kind === "user"
    ? 'run "sallyport login"'
    : 'people do not read values, machines do: make a token with "sallyport token create", put ' +
        "it into " +
        'SALLYPORT_ENROLLMENT_TOKEN and run "sallyport enroll"';
}

/** The vault that was named, the current one, or the only one that has an identity of the kinds. */
export async function chooseVault(
  choice: Choice,
  kinds: readonly Identity["kind"][],
): Promise<LocalVault> {
  const vaults = await localVaults(choice.env);
  const named = namedVaultOf(choice);
  if (named !== undefined) return findVault(vaults, named);
  const current = await readCurrentVault(choice.env);
  const chosen = vaults.find(({ vaultId }) => vaultId === current);
  if (chosen) return chosen;
  const fitting = vaults.filter(({ identities }) => kinds.some((kind) => identities[kind]));
  const [only] = fitting;
  if (fitting.length > 1)
    throw new CliError(
      "VAULT_UNCLEAR",
      `this computer knows ${fitting.length} vaults, and none is chosen`,
    );
  if (!only)
    throw new CliError(
      "IDENTITY_UNFIT",
      `this computer has no ${kinds.join("'s or ")}'s identity`,
      {
        next:
          kinds.length === 1 && vaults.length > 0
            ? howToBecome(kinds[0] ?? "user")
            : 'run "sallyport login" as a person or "sallyport enroll" as a machine',
      },
    );
  return only;
}

/**
 * Finds a vault of this computer by id or name; VAULT_UNKNOWN, or VAULT_UNCLEAR when two have the
 * name.
 */
export function findVault(vaults: readonly LocalVault[], key: string): LocalVault {
  const found = vaults.filter(({ vaultId, name }) =>
    isId("vlt", key) ? vaultId === key : name === key,
  );
  const [only] = found;
  if (!only) throw new CliError("VAULT_UNKNOWN", `this computer has no identity of a vault ${key}`);
  if (found.length > 1)
    throw new CliError(
      "VAULT_UNCLEAR",
      `${found.length} vaults are called ${key}: ${found.map(({ vaultId }) => vaultId).join(", ")}`,
      {
        next: "name it by its id",
      },
    );
  return only;
}
