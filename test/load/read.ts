/**
 * npm run bench:read: signed, sealed reads against a whole deployment on this machine, audit
 * durable. Closed loop: each worker sends its next request when the last is answered. Requests are
 * signed outside the measured time. The workers come from several addresses, because a gateway
 * refuses one address that takes more than its share: fails when more than 1 % of the requests are
 * refused, since it would measure refusals then. Options: --seconds N (10), --workers N (32),
 * --machines N (64), --trace RATIO (nothing is traced), to a collector on this machine.
 */
import { parseArgs } from "node:util";
import { type Identity, createRecipient, enroll, openSallyport } from "@sallyport/client";
import { startCollector } from "../infra/collector.ts";
import { connectFrom } from "../infra/exchange.ts";
import { loginOwner, makeSecrets, makeToken, startDeployment } from "../system/deployment.ts";
import { percentile } from "./figures.ts";
import { addresses } from "./overload.ts";
import { type Prepared, prepareReads } from "./prepared.ts";
import { machineLine } from "./print.ts";
import { measureCpu } from "./processes.ts";

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    workers: { type: "string", default: "32" },
    machines: { type: "string", default: "64" },
    trace: { type: "string" },
  },
});
const mostRefused = 0.01;
// Every address of 127.0.0.0/8 is this machine's on Linux only.
const sources = process.platform === "linux" ? addresses : ["127.0.0.1"];
await using collector = await startCollector();
const deployment = await startDeployment(
  undefined,
  options.trace === undefined ? {} : { otlpUrl: collector.url, traceRatio: options.trace },
);
try {
  const owner = await loginOwner(deployment);
  const admin = openSallyport(owner);
  const secretValues = Object.fromEntries(
    Array.from({ length: 20 }, (_, index) => [
      `SECRET_${index}`,
      `value ${index} ${"x".repeat(40)}`,
    ]),
  );
  const { projectId, ids } = await makeSecrets(admin, "bench", secretValues);
  const secretIds = Object.values(ids);
  const machineCount = Number(options.machines);
  const token = await makeToken(admin, owner, { projectId, secretIds, uses: machineCount });
  const machines: Identity[] = [];
  for (let index = 0; index < machineCount; index += 1)
    machines.push(await enroll(deployment.endpoint, token, { name: `bench-${index}` }));
  console.log(machineLine());
  for (const count of [1, 20]) await measure(machines, secretIds.slice(0, count));
  admin.close();
} finally {
  await deployment[Symbol.asyncDispose]();
}

async function measure(machines: readonly Identity[], secretIds: string[]): Promise<void> {
  const seconds = Number(options.seconds);
  const { url, ca = "" } = deployment.endpoint;
  const authority = new URL(url).host;
  const recipient = await createRecipient();
  const prepare = (count: number) => prepareReads(machines, secretIds, recipient, authority, count);
  const warmUp = prepare(200);
  const prepared = prepare(seconds * 2500);
  // A session without requests is ended after a while: it is opened when there is a request to
  // send.
  const sessions = sources.map((address) => connectFrom(address, { url, ca }));
  const send = ({ headers, body }: Prepared, worker: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const stream = sessions[worker % sessions.length]?.request(headers);
      if (!stream) return reject(new Error("no session"));
      let status = 0;
      stream.on("response", (response) => (status = response[":status"] ?? 0));
      stream
        .on("data", () => undefined)
        .once("end", () => resolve(status))
        .once("error", reject);
      stream.end(body);
    });
  for (const [index, request] of warmUp.entries()) await send(request, index);
  const used = measureCpu(deployment);
  const latencies: number[] = [];
  const statuses = new Map<number, number>();
  const end = performance.now() + seconds * 1000;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: Number(options.workers) }, async (_, worker) => {
      for (
        let request = prepared.pop();
        request && performance.now() < end;
        request = prepared.pop()
      ) {
        const start = performance.now();
        const status = await send(request, worker);
        latencies.push(performance.now() - start);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    }),
  );
  const elapsed = (performance.now() - began) / 1000;
  const done = statuses.get(200) ?? 0;
  const refused = 1 - done / Math.max(1, latencies.length);
  const rate = (done / elapsed).toFixed(0);
  const [p50, p99] = [0.5, 0.99].map((share) => percentile(latencies, share).toFixed(1));
  console.log(
    `\n${secretIds.length} secret(s) per read, ${options.workers} workers: ` +
      `${rate} reads/s, p50 ${p50} ms, p99 ${p99} ms`,
  );
  if (statuses.size > 1 || done === 0)
    console.log(
      `answers by status: ${[...statuses].map(([status, n]) => `${status}: ${n}`).join(", ")}`,
    );
  for (const [name, cpuSeconds] of used())
    console.log(
      `  ${name.padEnd(9)} ${((cpuSeconds / done) * 1e6).toFixed(0).padStart(6)} µs CPU per read`,
    );
  for (const session of sessions) session.close();
  if (refused > mostRefused)
    throw new Error(
      `${(refused * 100).toFixed(1)} % of the requests were refused: this measures no reads; ` +
        "use fewer workers, or more machines",
    );
}
