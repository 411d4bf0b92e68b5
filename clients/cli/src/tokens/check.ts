import { type EnrollOptions, checkEnrollment, parseToken } from "@sallyport/client";
import { type ValueOf, integer, listOf, object, text, time } from "../definition/shape.ts";
import type { Context } from "../app/context.ts";
import type { Screen } from "../terminal/screen.ts";
import { relativeTime } from "../terminal/time.ts";
import { atNamedEndpoint, endpointOf } from "../vaults/endpoint.ts";
import { localVaults } from "../vaults/folder.ts";
import { namedText, namesShape, scopeNames } from "../views/token.ts";

/** The result of checking a token, as --json shows it. */
export const checkShape = object({
  tokenId: text("the token's id"),
  vaultId: text("its vault's id"),
  machineName: text(
    "the name that the machine could get; one that the token makes differs each time",
  ),
  expiresAt: time("when a machine that is enrolled now would stop working"),
  projectIds: listOf(text("a project's id"), "the projects that it would join"),
  secretIds: listOf(text("a secret's id"), "the secrets that it could read"),
  usesLeft: integer("how many machines the token can still make"),
  names: namesShape,
});

/** The result of checking a token. */
export type Check = ValueOf<typeof checkShape>;

/**
 * Has the server check a token as an enrollment would use it: no use is spent. Names are looked up
 * where this computer has a user's identity of the vault.
 */
export async function checkToken(
  context: Context,
  token: string,
  options: Pick<EnrollOptions, "name" | "hostname">,
): Promise<Check> {
  const { vaultId } = parseToken(token, "enr");
  const vaults = await localVaults(context.env).catch(() => []);
  const user = vaults.find((vault) => vault.vaultId === vaultId)?.identities.user;
  const endpoint = user ? await atNamedEndpoint(user, context.env) : await endpointOf(context.env);
  const check = await context.session.patiently(new URL(endpoint.url).host, (connection) =>
    checkEnrollment(endpoint, token, { ...connection, ...options }),
  );
  const session = context.sessionIn(vaultId);
  const names = user
    ? await session.asUser((client) => scopeNames(client, check)).catch(() => ({}))
    : {};
  return { ...check, names };
}

/** Shows what a token would enroll. */
export function showCheck(check: Check, screen: Screen): void {
  screen.mark(
    "ok",
    `it enrolls: ${check.usesLeft} ${check.usesLeft === 1 ? "use is" : "uses are"} left`,
    check.tokenId,
  );
  screen.facts([
    ["name", check.machineName],
    ["projects", namedText(check.projectIds, check.names)],
    ["secrets", check.secretIds.length === 0 ? "none" : namedText(check.secretIds, check.names)],
    ["expires", relativeTime(check.expiresAt)],
    ["vault", check.vaultId],
  ]);
}
