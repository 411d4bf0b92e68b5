import { parseToken } from "@sallyport/client";
import { maxCorrectionMs } from "@sallyport/client/clock";
import { type Identity, loadIdentity } from "@sallyport/client/identity";
import type { Context } from "../app/context.ts";
import { explain } from "../app/failure.ts";
import { relativeTime } from "../terminal/time.ts";
import { identityPathOf } from "../vaults/choose.ts";
import { namedEndpoint } from "../vaults/endpoint.ts";
import { type LocalVault, configFolder, localVaults } from "../vaults/folder.ts";
import { type Finding, bad, ok, warn } from "./finding.ts";

const variables = new Set(
  ["URL", "CA", "IDENTITY", "VAULT", "ENROLLMENT_TOKEN"].map((name) => `SALLYPORT_${name}`),
);
const soonMs = 86_400_000;

/** Checks the runtime. */
export function checkRuntime(): Finding {
  const { node } = process.versions;
  const [major = 0] = node.split(".").map(Number);
  return major >= 24
    ? ok("runtime", `Node ${node}`)
    : bad("runtime", `Node ${node}`, "install Node 24 or newer", 2);
}

/**
 * Checks the variables that steer the program: none misspelt, each with a value that can be used.
 */
export async function checkEnvironment(env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const set = Object.keys(env).filter((name) => name.startsWith("SALLYPORT_") && env[name]);
  const unknown = set.filter((name) => !variables.has(name)).toSorted();
  const findings = unknown.map((name) =>
    warn(
      "environment",
      `${name} means nothing to this program`,
      `correct its name, or unset it: unset ${name}`,
    ),
  );
  if (env["SALLYPORT_URL"] || env["SALLYPORT_CA"]) findings.push(await checkEndpoint(env));
  if (env["SALLYPORT_ENROLLMENT_TOKEN"])
    findings.push(checkToken(env["SALLYPORT_ENROLLMENT_TOKEN"]));
  const known = set.filter((name) => variables.has(name)).toSorted();
  return findings.length > 0
    ? findings
    : [ok("environment", known.join(", ") || "no variables set")];
}

async function checkEndpoint(env: NodeJS.ProcessEnv): Promise<Finding> {
  try {
    const { url, ca } = await namedEndpoint(env);
    if (url === undefined)
      return ok("environment", "SALLYPORT_CA holds what every gateway is trusted by");
    return ok(
      "environment",
      `SALLYPORT_URL is ${url}${ca === undefined ? "" : ", with SALLYPORT_CA"}`,
    );
  } catch (error) {
    const { message, next } = explain(error);
    return bad("environment", message, next, 2);
  }
}

function checkToken(token: string): Finding {
  try {
    const { vaultId } = parseToken(token.trim(), "enr");
    return ok("environment", `SALLYPORT_ENROLLMENT_TOKEN is a token of ${vaultId}`);
  } catch (error) {
    return bad(
      "environment",
      `SALLYPORT_ENROLLMENT_TOKEN: ${explain(error).message}`,
      "copy the token again, whole",
      2,
    );
  }
}

/** Checks every identity of this computer: who may read it, and how long it lasts. */
export async function checkIdentities({ env, choice }: Context): Promise<Finding[]> {
  const path = identityPathOf(choice);
  try {
    if (path !== undefined) return [lifetime(path, await loadIdentity(path))];
    const vaults = await localVaults(env);
    if (vaults.length > 0) return vaults.flatMap(ofVault);
    return [
      bad(
        "identity",
        `there is none in ${configFolder(env)}`,
        'run "sallyport login" or "sallyport enroll"',
        4,
      ),
    ];
  } catch (error) {
    const { message, next } = explain(error);
    const command = /run "([^"]+)"/.exec(message)?.[1];
    return [bad("identity", message, command === undefined ? next : command, 4)];
  }
}

function ofVault({ identities, name, vaultId }: LocalVault): Finding[] {
  return Object.values(identities).map((identity) => lifetime(name ?? vaultId, identity));
}

function lifetime(where: string, { kind, name, expiresAt }: Identity): Finding {
  const detail = `${kind} ${name} of ${where}, private to you, expires ${relativeTime(expiresAt)}`;
  const leftMs = Date.parse(expiresAt) - Date.now();
  const anew =
    kind === "user"
      ? 'ask for a login code and run "sallyport login"'
      : 'run "sallyport enroll" with a token';
  if (leftMs <= 0 && leftMs > -maxCorrectionMs)
    return warn(
      "identity",
      `${detail} by this computer's clock`,
      "look at the clock below, and set it",
    );
  if (leftMs <= 0) return bad("identity", `${kind} ${name} of ${where} has expired`, anew, 4);
  return kind === "user" && leftMs < soonMs
    ? warn("identity", detail, 'run "sallyport device renew" while the key works')
    : ok("identity", detail);
}
