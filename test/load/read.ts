/**
 * npm run bench:read: signed, sealed reads against a whole deployment on this machine, audit durable. Closed loop: each
 * worker sends its next request when the last is answered. Requests are signed outside the measured time.
 * Options: --seconds N (10), --workers N (32), --machines N (64), --trace RATIO (nothing is traced), to a collector on this
 * machine.
 */
import { readFileSync } from "node:fs";
import { connect } from "node:http2";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { create, toBinary } from "@bufbuild/protobuf";
import { type Identity, createRecipient, createSigner, enroll, openSallyport } from "@sallyport/client";
import { processes } from "@sallyport/deploy/local";
import { SealingSuite } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ReadSecretsRequestSchema } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { startCollector } from "../infra/collector.ts";
import { loginOwner, makeSecrets, makeToken, startDeployment } from "../system/deployment.ts";

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    workers: { type: "string", default: "32" },
    machines: { type: "string", default: "64" },
    trace: { type: "string" },
  },
});
const path = "/sallyport.gateway.v1.ReadService/ReadSecrets";
const ticksPerSecond = 100;

/** CPU seconds that a process has used, from /proc. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

type Prepared = { readonly headers: Record<string, string>; readonly body: Uint8Array };

async function prepare(
  machines: readonly Identity[],
  secretIds: string[],
  authority: string,
  count: number,
): Promise<Prepared[]> {
  const recipient = await createRecipient();
  const suite = SealingSuite.HPKE_X25519_SHA256_AES256GCM;
  const message = create(ReadSecretsRequestSchema, {
    secretIds,
    allOrNothing: true,
    recipient: { suite, publicKey: recipient.publicKey },
  });
  const body = toBinary(ReadSecretsRequestSchema, message);
  const signers = machines.map((machine) => createSigner(Buffer.from(machine.seed, "base64"), machine.keyId));
  return Array.from({ length: count }, (_, index) => {
    const signer = signers[index % signers.length];
    if (!signer) throw new Error("no machine signs");
    const target = { authority, path, contentType: "application/proto" };
    return {
      body,
      headers: {
        ":method": "POST",
        ":path": path,
        "content-type": "application/proto",
        ...signer.sign(target, body).headers,
      },
    };
  });
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

await using collector = await startCollector();
const deployment = await startDeployment(
  undefined,
  options.trace === undefined ? {} : { otlpUrl: collector.url, traceRatio: options.trace },
);
try {
  const owner = await loginOwner(deployment);
  const admin = openSallyport(owner);
  const secretValues = Object.fromEntries(
    Array.from({ length: 20 }, (_, index) => [`SECRET_${index}`, `value ${index} ${"x".repeat(40)}`]),
  );
  const { projectId, ids } = await makeSecrets(admin, "bench", secretValues);
  const secretIds = Object.values(ids);
  const machineCount = Number(options.machines);
  const token = await makeToken(admin, owner, { projectId, secretIds, uses: machineCount });
  const machines: Identity[] = [];
  for (let index = 0; index < machineCount; index += 1)
    machines.push(await enroll(deployment.endpoint, token, { name: `bench-${index}` }));
  console.log(
    `node ${process.version}, ${cpus().length} cores (${cpus()[0]?.model ?? ""}), generator on the same machine`,
  );
  for (const count of [1, 20]) await measure(machines, secretIds.slice(0, count));
  admin.close();
} finally {
  await deployment[Symbol.asyncDispose]();
}

async function measure(machines: readonly Identity[], secretIds: string[]): Promise<void> {
  const seconds = Number(options.seconds);
  const { url, ca } = deployment.endpoint;
  const authority = new URL(url).host;
  const sessions = Array.from({ length: 4 }, () => connect(url, ca === undefined ? {} : { ca }));
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
  const warmUp = await prepare(machines, secretIds, authority, 200);
  for (const request of warmUp) await send(request, 0);
  const prepared = await prepare(machines, secretIds, authority, seconds * 2500);
  const before = new Map(processes.map((name) => [name, cpuSeconds(deployment.system.child(name).pid)]));
  const latencies: number[] = [];
  const statuses = new Map<number, number>();
  const end = performance.now() + seconds * 1000;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: Number(options.workers) }, async (_, worker) => {
      for (let request = prepared.pop(); request && performance.now() < end; request = prepared.pop()) {
        const start = performance.now();
        const status = await send(request, worker);
        latencies.push(performance.now() - start);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    }),
  );
  const elapsed = (performance.now() - began) / 1000;
  const sorted = latencies.toSorted((a, b) => a - b);
  const done = statuses.get(200) ?? 0;
  const rate = (done / elapsed).toFixed(0);
  console.log(
    `\n${secretIds.length} secret(s) a read, ${options.workers} workers: ${rate} reads/s, p50 ${percentile(sorted, 0.5).toFixed(1)} ms, p99 ${percentile(sorted, 0.99).toFixed(1)} ms`,
  );
  if (statuses.size > 1 || done === 0)
    console.log(`answers by status: ${[...statuses].map(([status, n]) => `${status}: ${n}`).join(", ")}`);
  for (const name of processes) {
    const used = cpuSeconds(deployment.system.child(name).pid) - (before.get(name) ?? 0);
    console.log(`  ${name.padEnd(9)} ${((used / done) * 1e6).toFixed(0).padStart(6)} µs CPU a read`);
  }
  for (const session of sessions) session.close();
}
