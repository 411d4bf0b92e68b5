import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Interface, createInterface } from "node:readline";
import { createClient } from "@connectrpc/connect";
import { type System, processes, trustDomain } from "@sallyport/deploy/local";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "@sallyport/proto/gen/grpc/health/v1/health_pb.ts";
import { connectPeer } from "@sallyport/rpc";
import { expect, test } from "vitest";
import { type CliHome, createCliHome } from "./cli/home.ts";
import { type Deployment, startDeployment } from "./deployment.ts";
import { type MovedClock, createMovedClock } from "./moved-clock.ts";

const program = (name: string): string => join(import.meta.dirname, "..", "..", name);
const clock = await createMovedClock();
const step = 28; // A machine, and a keyset of its longest life, end 30 days after they were made.
const renewalDay = 11 * step; // 57 days before the end of the signer and of every certificate
const lastDay = 14 * step;

/** A client that was opened under the clock and stays open. */
type OpenClient = Disposable & { read(identityFile: string): Promise<unknown> };

function openClient({ env }: MovedClock): OpenClient {
  const child: ChildProcess = spawn(process.execPath, [program("test/system/year-client.ts")], {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines: Interface = createInterface({ input: child.stdout ?? process.stdin });
  return {
    async read(identityFile) {
      const answered = once(lines, "line") as Promise<[string]>;
      child.stdin?.write(`${identityFile}\n`);
      return JSON.parse((await answered)[0]) as unknown;
    },
    [Symbol.dispose]: () => void child.kill(),
  };
}

const took = ({ layout }: System, sentence: string): number[] =>
  processes.map(
    (name) => readFileSync(join(layout.logs, `${name}.log`), "utf8").split(sentence).length - 1,
  );

/** What each process shows its operator that is near an end. */
async function noticesOf({ operator, addresses }: System): Promise<string[]> {
  const { certFile, keyFile, caFile } = operator;
  const { gateway: _, ...ports } = addresses.ports;
  const shown: string[] = [];
  for (const [peer, port] of Object.entries({ ...ports, gateway: addresses.probe })) {
    const url = `https://localhost:${port}`;
    const tls = { certFile, keyFile, caFile };
    const connection = connectPeer({ peer: peer as keyof typeof ports, url, tls, trustDomain });
    const { statuses } = await createClient(Health, connection.transport).list({});
    connection.close();
    for (const [name, { status }] of Object.entries(statuses))
      if (name.startsWith("notice:") && status === Status.NOT_SERVING)
        shown.push(`${peer} ${name.slice(7)}`);
  }
  return shown.toSorted();
}

type Life = {
  readonly clock: MovedClock;
  readonly deployment: Deployment;
  readonly home: CliHome;
  readonly client: OpenClient;
};

/** Runs a command under the clock; throws what it said when it fails. */
async function run({ home }: Pick<Life, "home">, args: readonly string[], input = "", env = {}) {
  const { code, out, err } = await home.run(args, { input, env });
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${err}`);
  return out;
}

async function renewKeyset(life: Life, times: number): Promise<void> {
  const { system } = life.deployment;
  const { layout } = system;
  const copies = processes.flatMap((name) => ["--to", join(layout.folder(name), "keyset.bin")]);
  await run(life, ["keyset", "renew", "--days", "30", "--dir", layout.keyset, ...copies]);
  await expect
    .poll(() => took(system, "a new keyset is in use"), { timeout: 20_000 })
    .toEqual(processes.map(() => times));
}

async function renewCertificates({ clock: { env }, deployment: { system } }: Life, times: number) {
  const args = [program("deploy/local/renew.ts"), "--data", system.layout.data];
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["ignore", "ignore", "inherit"],
  });
  expect(await once(child, "exit")).toEqual([0, null]);
  await expect
    .poll(() => took(system, "took up changed certificates"), { timeout: 20_000 })
    .toEqual(processes.map(() => times));
}

/**
 * A secret, and the text of a token by which a machine may read it for 30 days, good for a year.
 */
async function makeToken(home: CliHome, loginCode: string): Promise<string> {
  await run({ home }, ["login", "--name", "owner"], loginCode);
  await run({ home }, ["project", "create", "web"]);
  await run({ home }, ["secret", "put", "DB_URL", "--project", "web"], "kept");
  const lives = ["--ttl", "365d", "--machine-ttl", "30d", "--uses", "100"];
  return (await run({ home }, ["token", "create", "--secret", "web/DB_URL", ...lives])).trim();
}

/** Starts everything under the clock. */
async function beginLife(clock: MovedClock, stack: AsyncDisposableStack): Promise<Life> {
  const settings = () => clock.env;
  const deployment = stack.use(await startDeployment(undefined, {}, { settings }));
  const { url, edgeCaFile } = deployment.system;
  const home = stack.use(
    createCliHome({ ...clock.env, SALLYPORT_URL: url, SALLYPORT_CA: edgeCaFile }),
  );
  return { clock, deployment, home, client: stack.use(openClient(clock)) };
}

const everyNotice = [
  ...processes.flatMap((name) => [`${name} certificates`, `${name} keyset`]),
  "gateway edge",
].toSorted();

/** What an operator does 57 days before the end: it was told, and renews. */
async function renewWhatEnds(life: Life): Promise<void> {
  const { system } = life.deployment;
  const { root, keyset, data } = system.layout;
  // A process looks at the clock's file once a second.
  await expect.poll(() => noticesOf(system), { timeout: 10_000 }).toEqual(everyNotice);
  expect(await run(life, ["doctor", "--data", data])).toMatch(
    /signer ends in[^]*crypto\/crypto.pem ends in[^]*gateway\/edge.pem ends in/,
  );
  await run(life, ["keyset", "sign", "--root-key", join(root, "root.key"), "--dir", keyset]);
  await renewCertificates(life, 1);
}

test.skipIf(typeof clock === "string")(
  "a running deployment lives through a year and two renewals, with clients that go on",
  async () => {
    if (typeof clock === "string") return;
    await using stack = new AsyncDisposableStack();
    const life = await beginLife(stack.use(clock), stack);
    const { client, home, deployment } = life;
    const { system } = deployment;
    const token = await makeToken(home, readFileSync(system.owner.codeFile, "utf8"));
    const machineOf = (day: number): string => join(home.dir, `machine-${day}.json`);
    const kept = [["DB_URL", "kept"]];

    for (let day = 0, times = 1; day <= lastDay; day += step, times += 1) {
      clock.move(day);
      if (day === renewalDay) await renewWhatEnds(life);
      if (day === lastDay) await renewCertificates(life, 2);
      await renewKeyset(life, times);
      // The client of the step before kept its connection and its keyset; its machine is still
      // alive.
      if (day > 0) expect(await client.read(machineOf(day - step)), `day ${day}`).toEqual(kept);
      if (day > 365) continue;
      const env = { SALLYPORT_IDENTITY: machineOf(day), SALLYPORT_ENROLLMENT_TOKEN: token };
      await run(life, ["enroll", "--name", `runner-${day}`], "", env);
      expect(await client.read(machineOf(day)), `day ${day}`).toEqual(kept);
    }

    expect(lastDay).toBeGreaterThan(365);
    expect(await run(life, ["doctor", "--data", system.layout.data])).not.toMatch(
      /ends? in [0-9] |has ended/,
    );
    // An identity file of the first day: the deployment still has the root that it pins.
    expect(await client.read(machineOf(0))).toMatchObject({ reason: "MACHINE_EXPIRED" });
    // Each process starts again with what was renewed, and a new connection trusts the gateway.
    for (const name of processes) {
      await system.stopProcess(name);
      await system.startProcess(name);
    }
    const env = { SALLYPORT_IDENTITY: machineOf(lastDay - step) };
    expect(await run(life, ["get", "DB_URL"], "", env)).toBe("kept");
    expect(await client.read(machineOf(lastDay - step))).toEqual(kept);
  },
  300_000,
);

if (typeof clock === "string")
  process.stderr.write(`a year of a deployment is not lived through: ${clock}\n`);
