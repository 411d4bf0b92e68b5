import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { type Identity, enroll, openSallyport } from "@sallyport/client";
import type { Process } from "@sallyport/deploy/local";
import {
  type Deployment,
  loginOwner,
  makeSecrets,
  makeToken,
  startDeployment,
} from "../system/deployment.ts";
import { unboundRecords } from "../system/unbound-records.ts";
import type { Group, Order, Report, Results } from "./plan.ts";

/** A deployment that is to bear a load, and the generator beside it. */
export type Ground = AsyncDisposable & {
  readonly deployment: Deployment;
  /** Machines that may read the secret. */
  readonly machines: readonly Identity[];
  /**
   * Makes the generator send the load of the groups; it has signed everything before `measured` is
   * called.
   */
  send(groups: readonly Group[], measured?: () => void): Promise<Results>;
};

/**
 * Starts a deployment with one secret and so many machines. `gateway` are settings of the gateway
 * that differ from their defaults.
 */
export async function startGround(
  machineCount: number,
  gateway: Readonly<Record<string, string>> = {},
): Promise<Ground> {
  await using stack = new AsyncDisposableStack();
  const settings = (name: Process): Readonly<Record<string, string>> =>
    name === "gateway" ? gateway : unboundRecords(name);
  const deployment = stack.use(await startDeployment(undefined, {}, { settings }));
  const owner = await loginOwner(deployment);
  const admin = openSallyport(owner);
  const { projectId, ids } = await makeSecrets(admin, "load", {
    SECRET: `value ${"x".repeat(40)}`,
  });
  const secretIds = Object.values(ids);
  const token = await makeToken(admin, owner, {
    projectId,
    secretIds,
    uses: machineCount,
    machineLifetimeMs: 86_400_000, // Longer than any run.
  });
  admin.close();
  const machines: Identity[] = [];
  for (let index = 0; index < machineCount; index += 1)
    machines.push(await enroll(deployment.endpoint, token, { name: `load-${index}` }));
  const generator = stack.adopt(
    fork(new URL("generator.ts", import.meta.url), { serialization: "advanced" }),
    end,
  );
  const { url, ca = "" } = deployment.endpoint;
  const kept = stack.move();
  return {
    deployment,
    machines,
    async send(groups, measured) {
      const plan = { authority: new URL(url).host, ca, secretIds, groups };
      await told(generator, { kind: "prepare", plan });
      measured?.();
      const report = await told(generator, { kind: "run" });
      if (report.kind !== "done") throw new Error("the generator tells no results");
      return report.results;
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** The keys of machines, as groups name them. */
export function keysOf(machines: readonly Identity[]): Group["keys"] {
  return machines.map(({ keyId, seed }) => ({ keyId, seed }));
}

async function told(generator: ChildProcess, order: Order): Promise<Report> {
  const heard = new AbortController();
  const { signal } = heard;
  const ended = once(generator, "exit", { signal }).then(
    () => ({ kind: "failed", message: "it ended" }) as const,
  );
  const said = once(generator, "message", { signal }).then(([report]) => report as Report);
  generator.send(order);
  const report = await Promise.race([said, ended]);
  for (const other of [said, ended]) other.catch(() => undefined);
  heard.abort();
  if (report.kind === "failed") throw new Error(`the generator failed: ${report.message}`);
  return report;
}

async function end(generator: ChildProcess): Promise<void> {
  if (generator.exitCode !== null) return;
  const exited = once(generator, "exit");
  generator.kill();
  await exited;
}
