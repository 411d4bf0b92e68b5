import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";
import { enroll, openSallyport } from "@sallyport/client";
import { retrying } from "@sallyport/client/reading";
import { renewCertificates } from "@sallyport/deploy/local";
import { expect, test } from "vitest";
import {
  type Deployment,
  loginOwner,
  makeSecrets,
  makeToken,
  startDeployment,
  valuesOf,
} from "./deployment.ts";

const countIn = (file: string): number => readFileSync(file, "utf8").match(/BEGIN/g)?.length ?? 0;

/**
 * The serial numbers of the certificates that are shown: by each process, and by the gateway to the
 * world.
 */
async function shownBy({ system }: Deployment): Promise<Record<string, string>> {
  const { caFile, certFile, keyFile } = system.operator;
  const [cert, key, ca] = [certFile, keyFile, caFile].map((file) => readFileSync(file));
  const { ports, probe } = system.addresses;
  const at = { ...ports, gateway: probe, edge: ports.gateway };
  const shown = Object.entries(at).map(async ([name, port]): Promise<[string, string]> => {
    const trust = name === "edge" ? { ca: readFileSync(system.edgeCaFile) } : { cert, key, ca };
    return [name, await serialAt(port, trust)];
  });
  return Object.fromEntries(await Promise.all(shown));
}

function serialAt(port: number, trust: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { ...trust, port, host: "localhost", ALPNProtocols: ["h2", "http/1.1"] };
    const socket = connect(options, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

// As our clients do it: for a moment a connection may be refused that is just being replaced.
const patiently = <T>(read: () => Promise<T>): Promise<T> =>
  retrying(read, { untilMs: performance.now() + 5_000 });

test("a running mesh lives through renewals and a change of its authorities, with calls in flight", async () => {
  await using deployment = await startDeployment();
  const { layout } = deployment.system;
  const publicName = "localhost";
  const owner = await loginOwner(deployment);
  const admin = openSallyport(owner);
  const { projectId, ids } = await makeSecrets(admin, "web", { DB_URL: "kept" });
  const token = await makeToken(admin, owner, { projectId, secretIds: Object.values(ids) });
  const machine = await enroll(deployment.endpoint, token);
  let reads = 0;
  const stopping = new AbortController();
  const reading = (async () => {
    const reader = openSallyport({ ...machine, ...deployment.endpoint });
    try {
      for (; !stopping.signal.aborted; reads += 1)
        expect(valuesOf(await patiently(() => reader.read({ allGranted: true })))).toEqual({
          DB_URL: "kept",
        });
    } finally {
      reader.close();
    }
  })();
  let failed: unknown;
  const stopped = reading.catch((error: unknown) => (failed = error));

  const before = await shownBy(deployment);
  const shownAnew = async () => {
    const shown = await shownBy(deployment);
    return Object.keys(shown).filter((name) => shown[name] !== before[name]).length;
  };
  await renewCertificates(layout, { publicName, authorities: true });
  expect(countIn(deployment.system.edgeCaFile)).toBe(2);
  expect(countIn(join(layout.folder("crypto"), "ca.pem"))).toBe(2);
  await sleep(8_000); // Processes look every five seconds.
  expect(await shownAnew()).toBe(0);
  await renewCertificates(layout, { publicName, authorities: true });
  await expect.poll(shownAnew, { timeout: 40_000 }).toBe(Object.keys(before).length);
  await renewCertificates(layout, { publicName, anyway: true });
  const at = reads;
  await expect.poll(() => failed ?? reads > at + 20, { timeout: 60_000 }).toBe(true);
  stopping.abort();
  expect(await stopped).toBeUndefined(); // not one read failed
  await deployment.system.stopProcess("crypto");
  await deployment.system.startProcess("crypto");
  const fresh = openSallyport({
    ...machine,
    url: deployment.system.url,
    ca: readFileSync(deployment.system.edgeCaFile, "utf8"),
  });
  await expect
    .poll(() => fresh.read({ allGranted: true }).then(valuesOf, () => undefined), {
      timeout: 20_000,
    })
    .toEqual({ DB_URL: "kept" });
  fresh.close();
  admin.close();
}, 240_000);
