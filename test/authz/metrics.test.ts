import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createCa,
  issuePeerCertificate,
  metricsPorts,
  processes,
  trustDomain,
} from "@sallyport/deploy/local";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exchange } from "../infra/index.ts";
import { type Deployment, startDeployment } from "../system/deployment.ts";
import { connectBare, tlsOf } from "../system/mesh.ts";

type Tls = { readonly certFile: string; readonly keyFile: string };

const dir = mkdtempSync(join(tmpdir(), "sallyport-strangers-"));
let deployment: Deployment;
let foreign: Tls;
let elsewhere: Tls;
let unknown: Tls;

beforeAll(async () => {
  deployment = await startDeployment();
  const issue = async (ca: Awaited<ReturnType<typeof createCa>>, domain: string, peer: string) => {
    const folder = join(dir, `${domain}-${peer}-${ca.certFile.length}`);
    mkdirSync(folder);
    return issuePeerCertificate({ ca, dir: folder, trustDomain: domain, peer });
  };
  const mesh = await createCa({
    dir: join(deployment.system.layout.authorities, "mesh"),
    name: "mesh",
  });
  foreign = await issue(
    await createCa({ dir: join(dir, "ca"), name: "foreign" }),
    trustDomain,
    "operator",
  );
  elsewhere = await issue(mesh, "elsewhere.example", "operator");
  unknown = await issue(mesh, trustDomain, "prometheus");
});
afterAll(async () => {
  await deployment[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

/**
 * Asks for a path with a certificate; "no connection" when the server ends it instead of answering.
 */
async function ask(
  port: number,
  tls: Tls | undefined,
  method = "GET",
  path = "/metrics",
): Promise<string> {
  const session = connectBare(port, deployment.system.operator.caFile, tls);
  session.on("error", () => undefined);
  return exchange(session, path, { ":method": method })
    .then(
      ({ status, text }) => `${status} ${text}`,
      () => "no connection",
    )
    .finally(() => session.destroy());
}

describe.each(processes)("the metrics of %s", (name) => {
  const portOf = (): number => metricsPorts(deployment.system.addresses).get(name) ?? 0;

  test("are for the operator", async () => {
    expect(await ask(portOf(), deployment.system.operator)).toMatch(/^200 # HELP \w+/);
  });

  test("are for none of our own processes", async () => {
    for (const peer of processes) {
      const met = await ask(portOf(), tlsOf(deployment.system, peer));
      expect(met, peer).toBe("403 only the operator may read metrics\n");
    }
  });

  test("are for nobody whom our authority did not certify as the operator of this trust domain", async () => {
    expect(await ask(portOf(), undefined), "without a certificate").toBe("no connection");
    expect(await ask(portOf(), foreign), "a foreign authority").toBe("no connection");
    expect(await ask(portOf(), elsewhere), "another trust domain").toMatch(/^403 only/);
    expect(await ask(portOf(), unknown), "another name").toMatch(/^403 only/);
  });

  test("are read with GET, at one path, and the operator may call nothing else for it", async () => {
    const { operator } = deployment.system;
    expect(await ask(portOf(), operator, "POST")).toBe("405 only GET\n");
    for (const path of ["/metrics/", "/metrics?x=1", "/Metrics", "/"])
      expect(await ask(portOf(), operator, "GET", path), path).toMatch(/^404/);
  });
});

test("the public listener shows no metrics", async () => {
  const { url, edgeCaFile, operator } = deployment.system;
  const session = connectBare(Number(new URL(url).port), edgeCaFile, operator);
  const { status } = await exchange(session, "/metrics", { ":method": "GET" });
  session.destroy();
  expect(status).toBe(404);
});
