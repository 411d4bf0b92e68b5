import { randomBytes } from "node:crypto";
import { appendFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  type Accounts,
  defaultUidBase,
  postgresAccount,
  processAccounts,
} from "../host/account.ts";
import { holdCeremony, makeServiceKeys } from "../ceremony/ceremony.ts";
import { renewCertificates } from "../ceremony/certificates.ts";
import { type Child, startChild } from "./child.ts";
import { claimDirectory } from "../data/claim.ts";
import { settleData } from "../data/data-folder.ts";
import { prepareDatabases } from "../servers/databases.ts";
import { keepRenewing, renewIfDue } from "../ceremony/keyset.ts";
import {
  type Layout,
  type Process,
  databaseOwners,
  layOut,
  processes,
  services,
} from "../data/layout.ts";
import { type Operator, prepareOperator } from "./operator.ts";
import { type OwnerCode, prepareOwner } from "../ceremony/owner.ts";
import { letRead } from "../data/ownership.ts";
import { type Program, provideProgram } from "./program.ts";
import { freePort, requireOpenPort, requirePort } from "./ports.ts";
import { startPostgres } from "../servers/postgres.ts";
import { type Redis, startRedis } from "../servers/redis.ts";
import { type Addresses, type Settings, type Tracing, publicName, settingsOf } from "./settings.ts";
import { type Deployment, findStanding } from "../ceremony/standing.ts";

/** A server that processes keep their state in. */
export type Server = "postgres" | "redis";

/** Options of a local deployment. */
export type SystemOptions = {
  readonly data: string;
  /** The gateway's port; 0 takes a free one. */
  readonly port: number;
  /** As root: the first of the user ids that the processes and Redis run as. */
  readonly uidBase?: number | undefined;
  readonly tracing?: Tracing;
  /** Wraps each step, so that a person sees how far it is. */
  readonly step: <T>(title: string, run: () => Promise<T>) => Promise<T>;
  /** Called with the reason when a process or a server ends unasked. It is not restarted. */
  readonly onEnd: (name: Process | Server, sentence: string) => void;
  /** Called with what was renewed, and with what the operator has to do in time. */
  readonly onNotice?: (sentence: string) => void;
  /** Returns settings of a process that override those given, at each of its starts. */
  readonly settings?: (name: Process, settings: Settings) => Settings;
};

/** A running deployment: real Postgres, real Redis and the six processes. */
export type System = AsyncDisposable & {
  readonly url: string;
  readonly edgeCaFile: string;
  readonly rootFingerprint: string;
  readonly layout: Layout;
  readonly owner: OwnerCode;
  readonly operator: Operator;
  readonly addresses: Addresses;
  /** True if each process runs as a user of its own. */
  readonly separated: boolean;
  /** The program that the processes run. */
  readonly program: Program;
  /** The newest start of a process. */
  child(name: Process): Child;
  stopProcess(name: Process): Promise<void>;
  /** Starts a process that was stopped or has ended. */
  startProcess(name: Process): Promise<void>;
  /** Starts a server that has ended, where the processes know it. */
  startServer(name: Server): Promise<void>;
};

const leftoverPatienceMs = 8000;
const renewalMs = 6 * 3_600_000;

/**
 * Starts everything in order. What was started is stopped again, in reverse, when a step fails or
 * on disposal.
 */
export async function startSystem(options: SystemOptions): Promise<System> {
  const { step, onEnd } = options;
  await using stack = new AsyncDisposableStack();
  const accounts = processAccounts(options.uidBase ?? defaultUidBase);
  const layout = layOut(folderOfData(options, accounts));
  stack.defer(claimDirectory(layout.supervisor));
  const standing = await findStanding(layout);
  const port = options.port === 0 ? await freePort() : options.port;
  if (accounts !== undefined) requireOpenPort(port);
  await requirePort(port, leftoverPatienceMs);
  const postgres = await step("start Postgres", () =>
    startPostgres({
      dataDir: layout.postgres,
      clients: databaseClients(accounts),
      log: logTo(layout, "postgres"),
      onEnd: (sentence) => onEnd("postgres", sentence),
    }),
  );
  stack.defer(() => postgres.stop());
  const redis = await step("start Redis", () => startGatewayRedis(options, layout, accounts));
  stack.defer(() => redis.stop());
  const deployment = await step("hold the key ceremony", () =>
    holdCeremony(layout, publicName, standing),
  );
  await step("renew the certificates that are due", () => renew(options, layout));
  stack.use(renewInTime(options, layout));
  const renewKeyset = (): Promise<void> => renewIfDue(layout, () => makeServiceKeys(layout));
  await step("renew the keyset", renewKeyset);
  stack.use(keepRenewing(renewKeyset, logTo(layout, "keyset")));
  await step("prepare the databases", () => prepareDatabases(postgres, layout));
  const owner = await step("prepare the vault", () =>
    prepareOwner(layout, deployment.rootFingerprint),
  );
  const addresses = await chooseAddresses(port, options.tracing);
  const operator = prepareOperator(layout, addresses);
  const program = stack.use(provideProgram(accounts, join(layout.data, "program")));
  const prepared = { layout, accounts, program, addresses, deployment, owner };
  const family = stack.use(await startFamily(options, prepared));
  const kept = stack.move();
  return {
    url: `https://${publicName}:${port}`,
    edgeCaFile: deployment.edgeCaFile,
    rootFingerprint: deployment.rootFingerprint,
    layout,
    owner,
    operator,
    addresses,
    separated: accounts !== undefined,
    program,
    ...family,
    startServer: (name) => (name === "postgres" ? postgres : redis).start(),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

function folderOfData({ data, onNotice }: SystemOptions, accounts: Accounts | undefined): string {
  if (accounts === undefined) return data;
  const postgres = postgresAccount();
  const folder = settleData(data, [...Object.values(accounts), ...(postgres ? [postgres] : [])]);
  if (folder !== resolve(data)) onNotice?.(`${resolve(data)} is a link: its data is in ${folder}`);
  return folder;
}

async function chooseAddresses(gateway: number, tracing: Tracing = {}): Promise<Addresses> {
  const [probe = 0, audit = 0, crypto = 0, policy = 0, secrets = 0, identity = 0] =
    await Promise.all(["probe", ...services].map(freePort));
  return {
    ports: { audit, crypto, policy, secrets, identity, gateway },
    probe,
    publicName,
    tracing,
  };
}

async function renew({ onNotice }: SystemOptions, layout: Layout): Promise<void> {
  const { renewed, warnings } = await renewCertificates(layout, { publicName });
  for (const sentence of [...renewed.map((what) => `${what} is renewed`), ...warnings])
    onNotice?.(sentence);
}

// Certificates expire also between starts.
function renewInTime(options: SystemOptions, layout: Layout): Disposable {
  const look = (): void =>
    void renew(options, layout).catch((error: unknown) =>
      options.onNotice?.(`certificates could not be renewed: ${String(error)}`),
    );
  const timer = setInterval(look, renewalMs).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

// The gateway's user may run the nonce script on its own keys, and nothing else.
async function startGatewayRedis(
  { onEnd }: SystemOptions,
  layout: Layout,
  accounts: Accounts | undefined,
): Promise<Redis> {
  const commands = [
    "+auth",
    "+hello",
    "+ping",
    "+info",
    "+get",
    "+set",
    "+time",
    "+eval",
    "+evalsha",
    "+client|setname",
    "+quit",
  ];
  const user = {
    name: "gateway",
    password: randomBytes(24).toString("hex"),
    keys: ["gw:*"],
    commands,
  };
  const redis = await startRedis({
    dir: layout.redis,
    users: [user],
    account: accounts && { ...accounts.redis, clientGid: accounts.gateway.gid },
    log: logTo(layout, "redis"),
    onEnd: (sentence) => onEnd("redis", sentence),
  });
  writeFileSync(join(layout.folder("gateway"), "redis.url"), redis.url(user), { mode: 0o600 });
  return redis;
}

function logTo(layout: Layout, name: string): (line: string) => void {
  const file = join(layout.logs, `${name}.log`);
  return (line) => appendFileSync(file, `${line}\n`, { mode: 0o600 });
}

function databaseClients(accounts: Accounts | undefined): Record<string, number> {
  return Object.fromEntries(
    accounts ? databaseOwners.map((name) => [name, accounts[name].gid]) : [],
  );
}

type Prepared = {
  readonly layout: Layout;
  readonly accounts: Accounts | undefined;
  readonly program: Program;
  readonly addresses: Addresses;
  readonly deployment: Deployment;
  readonly owner: OwnerCode;
};

type Family = Pick<System, "child" | "stopProcess" | "startProcess"> & AsyncDisposable;

// Starts the six processes, and stops them in reverse on disposal.
async function startFamily(
  { step, onEnd, settings = () => ({}) }: SystemOptions,
  { layout, accounts, program, addresses, deployment, owner }: Prepared,
): Promise<Family> {
  const children = new Map<Process, Child>();
  const running = new Map<Process, Promise<Child>>();
  const begin = async (name: Process): Promise<void> => {
    const start = launch(name);
    running.set(name, start);
    const child = await start;
    children.set(name, child);
    void child.ended.then((sentence) => {
      if (running.get(name) === start) onEnd(name, sentence);
    });
  };
  const launch = (name: Process): Promise<Child> => {
    const own = settingsOf(name, layout, addresses, deployment.rootFingerprint, owner.vaultId);
    const env = { ...own, ...settings(name, own) };
    const account = accounts?.[name];
    if (account !== undefined) letRead(layout.folder(name), account);
    return startChild({ name, port: addresses.ports[name], env, layout, account, program });
  };
  const end = async (name: Process): Promise<void> => {
    const start = running.get(name);
    running.delete(name);
    // Also one that is still starting: it must not outlive what it needs.
    const child = await start?.catch(() => undefined);
    await child?.stop();
  };
  const endAll = async (): Promise<void> => {
    for (const name of processes.toReversed()) await end(name);
  };
  try {
    // The gateway comes last: it is the one whose port says that the system is up.
    await step("start audit, crypto, policy, secrets, identity", async () => {
      const starting = services.map(begin);
      // A failed one must not leave others that are still starting: nothing would stop them.
      await Promise.allSettled(starting);
      await Promise.all(starting);
    });
    await step("start gateway", () => begin("gateway"));
  } catch (error) {
    await endAll();
    throw error;
  }
  return {
    child(name) {
      const child = children.get(name);
      if (!child) throw new Error(`${name} was never started`);
      return child;
    },
    stopProcess: end,
    startProcess: begin,
    [Symbol.asyncDispose]: endAll,
  };
}
