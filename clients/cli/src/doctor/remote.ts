import { connect as connectTcp } from "node:net";
import { type TLSSocket, connect as connectTls } from "node:tls";
import type { DeploymentFacts, Sallyport } from "@sallyport/client";
import type { Identity } from "@sallyport/client/identity";
import type { Context } from "../context.ts";
import { explain } from "../failure.ts";
import { durationText } from "../terminal/time.ts";
import { chooseIdentity } from "../vaults/choose.ts";
import { isNearEnd, leftText } from "./ending.ts";
import { type Finding, bad, failed, ok, warn } from "./finding.ts";

const connectMs = 5_000;
const daySeconds = 86_400;

/**
 * Checks the way to the gateway, each step after the one before: it can be reached, its certificate is trusted, it has
 * the root that was pinned, the clocks agree, and it knows the identity. Stops at the first step that fails.
 */
export async function checkGateway(context: Context): Promise<Finding[]> {
  let identity: Identity;
  try {
    identity = await chooseIdentity(context.choice, ["user", "machine"]);
  } catch (error) {
    const { message, next } = explain(error);
    return [bad("gateway", `not checked: ${message}`, next, 4)];
  }
  const findings: Finding[] = [];
  const steps = [
    () => checkReach(identity),
    () => checkCertificate(identity),
    () => checkDeployment(context),
    () => checkAccepted(context),
  ];
  for (const step of steps) {
    findings.push(...(await step()));
    if (findings.at(-1)?.status === "bad") break;
  }
  return findings;
}

function hostAndPort(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 443) };
}

function checkReach({ url }: Identity): Promise<Finding[]> {
  const { host, port } = hostAndPort(url);
  const started = performance.now();
  return new Promise((resolve) => {
    const socket = connectTcp({ host, port, timeout: connectMs });
    const done = (finding: Finding): void => {
      socket.destroy();
      resolve([finding]);
    };
    const failed = (why: string): void =>
      done(
        bad(
          "reach",
          `${url}: ${why}`,
          "check that the gateway runs, the address, and what stands between",
          6,
        ),
      );
    socket.once("connect", () =>
      done(ok("reach", `${url} in ${Math.round(performance.now() - started)} ms`)),
    );
    socket.once("timeout", () => failed(`no answer within ${connectMs / 1000} s`));
    socket.once("error", (error: NodeJS.ErrnoException) => failed(error.code ?? error.message));
  });
}

function checkCertificate({ url, ca }: Identity): Promise<Finding[]> {
  const { host, port } = hostAndPort(url);
  return new Promise((resolve) => {
    const trust = ca === undefined ? {} : { ca };
    const name = /^[\d.:]+$/.test(host) ? {} : { servername: host };
    const socket = connectTls({ host, port, ...name, ...trust, ALPNProtocols: ["h2"], timeout: connectMs });
    const done = (finding: Finding): void => {
      socket.destroy();
      resolve([finding]);
    };
    const fix =
      ca === undefined
        ? "set SALLYPORT_CA and log in or enroll again"
        : "log in or enroll again with the CA of today";
    socket.once("secureConnect", () => done(certificateFinding(socket)));
    socket.once("timeout", () =>
      done(bad("TLS", "no handshake", "check that the address is the gateway's", 6)),
    );
    socket.once("error", (error: NodeJS.ErrnoException) =>
      done(bad("TLS", `${error.code ?? ""} ${error.message}`.trim(), fix, 6)),
    );
  });
}

function certificateFinding(socket: TLSSocket): Finding {
  const { valid_from: from, valid_to: until, subjectaltname: names = "" } = socket.getPeerCertificate();
  const life = { fromMs: Date.parse(from), untilMs: Date.parse(until) };
  const detail = `${socket.getProtocol() ?? "TLS"}, ${names || "no names"}, valid for ${leftText(life)}`;
  return isNearEnd(life)
    ? warn("TLS", detail, "tell whoever runs the server that its certificate ends soon")
    : ok("TLS", detail);
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
    return [failed(explain(error).reason === "CLOCK_SKEW" ? "clock" : "root", error)];
  }
}

/** What is to be said of a keyset that verified: whoever runs the deployment has to renew what ends soon. */
export function rootFinding(
  { epoch, keysetNotAfterMs, signerNotAfterMs }: Omit<DeploymentFacts, "serverTimeMs">,
  nowMs: number,
): Finding {
  const left = (untilMs: number): string => durationText(Math.round((untilMs - nowMs) / 1000));
  const detail = `the pinned one; keyset ${epoch}, good for ${left(keysetNotAfterMs)}`;
  const tell = "tell whoever runs the server: ";
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
