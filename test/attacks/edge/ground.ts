import { type Identity, createSigner, openReader } from "@sallyport/client";
import { type Child, freePort, settingsOf, startChild } from "@sallyport/deploy/local";
import { expect } from "vitest";
import { residentBytesOf } from "../../load/processes.ts";
import { startMainJob } from "../../system/deployment.ts";

/**
 * A deployment under attack: two gateways over one Redis, an owner, and a machine that may read two
 * secrets.
 */
export type Ground = AsyncDisposable & {
  readonly job: Awaited<ReturnType<typeof startMainJob>>;
  /** The ports of both gateways; only the first is known to clients. */
  readonly ports: readonly [number, number];
  readonly ca: string;
  /** What clients sign as the authority. */
  readonly authority: string;
  readonly machine: Identity;
  /**
   * Runs an attack while an honest machine reads; it must go on reading, and the gateway stay
   * small.
   */
  besieged<T>(attack: () => Promise<T>): Promise<T>;
};

const restMs = 50;
const fewestReads = 5;
const patienceMs = 3_000;
const mostGrowthBytes = 128 * 1024 * 1024;

/**
 * Starts it. The second gateway runs as the first does, with the same folder and the same public
 * name.
 */
export async function prepareGround(): Promise<Ground> {
  await using stack = new AsyncDisposableStack();
  const job = await startMainJob();
  stack.defer(async () => {
    job.admin.close();
    await job.deployment[Symbol.asyncDispose]();
  });
  const { system, endpoint } = job.deployment;
  const port = await freePort();
  const replica = await startReplica(job, port);
  stack.defer(() => replica.stop());
  const kept = stack.move();
  return {
    job,
    ports: [system.addresses.ports.gateway, port],
    ca: endpoint.ca ?? "",
    authority: new URL(endpoint.url).host,
    machine: job.machine,
    besieged: (attack) => besieged(job.machine, system.child("gateway").pid, attack),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function startReplica({ deployment }: Ground["job"], port: number): Promise<Child> {
  const { layout, addresses, rootFingerprint } = deployment.system;
  const settings = settingsOf("gateway", layout, addresses, rootFingerprint, "");
  const listening = {
    SALLYPORT_LISTEN: `127.0.0.1:${port}`,
    SALLYPORT_PROBE_LISTEN: `127.0.0.1:${await freePort()}`,
  };
  return startChild({ name: "gateway", port, env: { ...settings, ...listening }, layout });
}

async function besieged<T>(machine: Identity, pid: number, attack: () => Promise<T>): Promise<T> {
  const reader = openReader(machine);
  const before = residentBytesOf(pid);
  const siege = { over: false };
  let [slowestMs, reads, peak] = [0, 0, before];
  const honest = (async () => {
    while (!siege.over || reads < fewestReads) {
      const begunMs = performance.now();
      const results = await reader.read({ allGranted: true });
      expect(results.map(({ kind }) => kind)).toEqual(["value", "value"]);
      slowestMs = Math.max(slowestMs, performance.now() - begunMs);
      peak = Math.max(peak, residentBytesOf(pid));
      reads += 1;
      await new Promise((resolve) => setTimeout(resolve, restMs));
    }
  })();
  try {
    // A read that fails ends the siege, whatever the attack is still waiting for.
    return await Promise.race([
      attack(),
      honest.then(() => Promise.reject(new Error("nobody reads"))),
    ]);
  } finally {
    siege.over = true;
    await honest;
    reader.close();
    const grownMiB = Math.round((peak - before) / 1024 ** 2);
    console.log(
      `  ${reads} honest reads, the slowest ${slowestMs.toFixed(0)} ms, +${grownMiB} MiB`,
    );
    expect(slowestMs, "the slowest honest read").toBeLessThan(patienceMs);
    expect(peak - before, "what the gateway grew by").toBeLessThan(mostGrowthBytes);
  }
}

/** A signer of the machine, whose clock may be off by so many milliseconds. */
export function signerOf({ seed, keyId }: Identity, aheadMs = 0) {
  return createSigner(Buffer.from(seed, "base64"), keyId, () => Date.now() + aheadMs);
}
