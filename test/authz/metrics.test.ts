import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCa, issuePeerCertificate, metricsPorts, processes } from "@sallyport/deploy/local";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Deployment, startDeployment } from "../system/deployment.ts";

type Tls = { readonly certFile: string; readonly keyFile: string };

const dir = mkdtempSync(join(tmpdir(), "sallyport-strangers-"));
const trustDomain = "sallyport.local";
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
  const mesh = await createCa({ dir: join(deployment.system.layout.authorities, "mesh"), name: "mesh" });
  foreign = await issue(await createCa({ dir: join(dir, "ca"), name: "foreign" }), trustDomain, "operator");
  elsewhere = await issue(mesh, "elsewhere.example", "operator");
  unknown = await issue(mesh, trustDomain, "prometheus");
});
afterAll(async () => {
  await deployment[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

/** Asks for a path with a certificate; "no connection" when the server ends it instead of answering. */
async function ask(port: number, tls: Tls | undefined, method = "GET", path = "/metrics"): Promise<string> {
  const ca = readFileSync(deployment.system.operator.caFile);
  const own = tls ? { cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) } : {};
  const session = connect(`https://localhost:${port}`, { ca, ...own });
  const { promise, resolve } = Promise.withResolvers<string>();
  session.on("error", () => resolve("no connection"));
  const stream = session.request({ ":path": path, ":method": method });
  let text = "";
  let status = 0;
  stream.on("response", (headers) => (status = headers[":status"] ?? 0));
  stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  stream.on("error", () => resolve("no connection"));
  stream.on("end", () => resolve(status === 0 ? "no connection" : `${status} ${text}`));
  stream.end();
  return promise.finally(() => session.destroy());
}

describe.each(processes)("the metrics of %s", (name) => {
  const portOf = (): number => metricsPorts(deployment.system.addresses).get(name) ?? 0;

  test("are for the operator", async () => {
    expect(await ask(portOf(), deployment.system.operator)).toMatch(/^200 # HELP \w+/);
  });

  test("are for none of our own processes", async () => {
    for (const peer of processes) {
      const folder = deployment.system.layout.folder(peer);
      const tls = { certFile: join(folder, `${peer}.pem`), keyFile: join(folder, `${peer}.key`) };
      expect(await ask(portOf(), tls), peer).toBe("403 only the operator may read metrics\n");
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
  const session = connect(url, {
    ca: readFileSync(edgeCaFile),
    cert: readFileSync(operator.certFile),
    key: readFileSync(operator.keyFile),
  });
  const stream = session.request({ ":path": "/metrics" });
  const status = await new Promise((resolve) =>
    stream.once("response", (headers) => resolve(headers[":status"])),
  );
  session.destroy();
  expect(status).toBe(404);
});
