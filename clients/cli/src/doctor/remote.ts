import type { DeploymentFacts, Sallyport } from "@sallyport/client";
import type { Identity } from "@sallyport/client/identity";
import type { Context } from "../app/context.ts";
import { explain } from "../app/failure.ts";
import { durationText } from "../terminal/time.ts";
import { chooseIdentity } from "../vaults/choose.ts";
import { type Finding, bad, failed, ok, warn } from "./finding.ts";
import { checkWay } from "./way.ts";

const daySeconds = 86_400;

/**
 * Checks the way to the gateway, each step after the one before: it can be reached, its certificate
 * is trusted, it has the root that was pinned, the clocks agree, and it knows the identity. Stops
 * at the first step that fails.
 */
export async function checkGateway(context: Context): Promise<Finding[]> {
  const findings: Finding[] = [];
  let identity: Identity;
  let moved: string | undefined;
  try {
    const choice = { ...context.choice, onMoved: (text: string) => void (moved = text) };
    identity = await chooseIdentity(choice, ["user", "machine"]);
  } catch (error) {
    const { message, next } = explain(error);
    return [bad("gateway", `not checked: ${message}`, next, 4)];
  }
  if (moved !== undefined) findings.push(ok("gateway", moved));
  const steps = [
    () => checkWay(identity, context.env),
    () => checkDeployment(context),
    () => checkAccepted(context),
  ];
  for (const step of steps) {
    findings.push(...(await step()));
    if (findings.at(-1)?.status === "bad") break;
  }
  return findings;
}

async function checkDeployment({ session }: Context): Promise<Finding[]> {
  try {
    const asked = Date.now();
    const facts = await session.asAny(["user", "machine"], (client) => client.checkDeployment());
    const { serverTimeMs } = facts;
    const halfwayMs = (asked + Date.now()) / 2;
    return [
      rootFinding(facts, Date.now()),
      ...(serverTimeMs === undefined ? [] : [clockFinding(serverTimeMs - halfwayMs)]),
    ];
  } catch (error) {
    const { reason } = explain(error);
    return [failed(failedStep[reason] ?? "root", error)];
  }
}

const failedStep: Readonly<Record<string, string | undefined>> = {
  CLOCK_SKEW: "clock",
  UNREACHABLE: "gateway",
  MACHINE_DISABLED: "accepted",
  MACHINE_EXPIRED: "accepted",
  REQUEST_REJECTED: "accepted",
};

/**
 * Findings about a keyset that verified: the deployment's operator has to renew what ends
 * soon.
 */
export function rootFinding(
  { epoch, keysetNotAfterMs, signerNotAfterMs }: Omit<DeploymentFacts, "serverTimeMs">,
  nowMs: number,
): Finding {
  const left = (untilMs: number): string => durationText(Math.round((untilMs - nowMs) / 1000));
  const detail = `the pinned one; keyset ${epoch}, good for ${left(keysetNotAfterMs)}`;
  const tell = "report to the server's operator: ";
  if (signerNotAfterMs - nowMs < 60 * daySeconds * 1000)
    return warn(
      "root",
      `${detail}; its signer ends in ${left(signerNotAfterMs)}`,
      `${tell}"sallyport keyset sign" with the root key`,
    );
  return keysetNotAfterMs - nowMs < 2 * daySeconds * 1000
    ? warn("root", detail, `${tell}"sallyport keyset renew" has not run for days`)
    : ok("root", detail);
}

function clockFinding(offMs: number): Finding {
  const seconds = Math.round(Math.abs(offMs) / 1000);
  const detail = `${durationText(seconds)} ${offMs > 0 ? "behind" : "ahead of"} the server's`;
  const fix = "set the clock, such as by NTP";
  if (seconds > 60) return bad("clock", detail, fix, 4);
  return seconds > 5 ? warn("clock", detail, fix) : ok("clock", "agrees with the server's");
}

async function checkAccepted({ session }: Context): Promise<Finding[]> {
  try {
    const me = await session.asAny(["user", "machine"], (client: Sallyport) =>
      client.services.users.whoAmI({}),
    );
    return [ok("accepted", `the server knows ${me.name} (${me.principalId}) in ${me.vaultName}`)];
  } catch (error) {
    return [failed("accepted", error)];
  }
}
