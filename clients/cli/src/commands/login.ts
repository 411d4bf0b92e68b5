import { text as readText } from "node:stream/consumers";
import {
  type Endpoint,
  type Identity,
  type LoginOptions,
  login as redeem,
  parseToken,
  toSallyportError,
} from "@sallyport/client";
import { defineCommand } from "../definition/define.ts";
import { text } from "../definition/options.ts";
import { nullable, object, text as word, time } from "../definition/shape.ts";
import { UsageError } from "../app/failure.ts";
import { promptHidden } from "../terminal/input.ts";
import { relativeTime } from "../terminal/time.ts";
import { identityPathOf } from "../vaults/choose.ts";
import { endpointOf } from "../vaults/endpoint.ts";
import { identityFile, writeCurrentVault } from "../vaults/folder.ts";
import { keepIdentity } from "../vaults/keep.ts";
import { withPendingKey } from "../vaults/pending.ts";

/**
 * `sallyport login`: turns a login code into this computer's user identity, and chooses its vault.
 */
export const login = defineCommand({
  description:
    'Reads the login code from standard input or prompts for it. A code of "device add" adds ' +
    "this computer as a further device of the same user. SALLYPORT_URL is the address of the " +
    "gateway, SALLYPORT_CA the CA of its certificate; the identity keeps both.",
  args: {},
  options: {
    name: text(
      "how you are shown in lists and records; for a further device, your name (your login name " +
        "here if not given)",
      {
        value: "name",
      },
    ),
  },
  examples: [
    ["sallyport login --name ada", "asks for the code without showing it"],
    ["sallyport login --name ada < login-code", "takes it from a file"],
  ],
  json: object({
    userId: word("your id"),
    name: word("your name"),
    vaultId: word("the vault's id"),
    vaultName: nullable(word("the vault's name; null when the server could not be asked")),
    expiresAt: time("when this computer's key stops working"),
    identity: word("the file that holds the key"),
  }),
  async run({ options: { name }, context }) {
    const endpoint = await endpointOf(context.env);
    const code = (
      process.stdin.isTTY ? await promptHidden("Login code: ") : await readText(process.stdin)
    ).trim();
    if (code === "")
      throw new UsageError("no login code was given", "pipe it in, or run this on a terminal");
    const { id, vaultId } = parseToken(code, "login");
    const chosen = identityPathOf(context.choice);
    const path = chosen ?? identityFile(context.env, vaultId, "user");
    const identity = await context.session.patiently(new URL(endpoint.url).host, (options) =>
      withPendingKey(path, id, {
        ask: (seed) => redeemAs(endpoint, code, name, { ...options, seed }),
        keep: (made) => keepIdentity(path, made, options),
      }),
    );
    if (chosen === undefined) await writeCurrentVault(context.env, vaultId);
    const { principalId, vaultName = null, expiresAt } = identity;
    return {
      userId: principalId,
      name: identity.name,
      vaultId,
      vaultName,
      expiresAt,
      identity: path,
    };
  },
  show({ name, userId, vaultName, vaultId, expiresAt }, screen) {
    screen.mark(
      "ok",
      `you are ${name} in ${vaultName ?? vaultId}`,
      `${userId}, expires ${relativeTime(expiresAt)}`,
    );
  },
});

// Only the server knows whether a code is for a further device. Such a code takes its user's name,
// or none.
async function redeemAs(
  endpoint: Endpoint,
  code: string,
  name: string | undefined,
  options: LoginOptions,
): Promise<Identity> {
  if (name !== undefined) return redeem(endpoint, code, name, options);
  return redeem(endpoint, code, process.env["USER"] || "owner", options).catch((error: unknown) => {
    const { reason, metadata } = toSallyportError(error);
    if (reason !== "FIELD_INVALID" || metadata["field"] !== "user_name") throw error;
    return redeem(endpoint, code, "", options);
  });
}
