import { randomBytes } from "node:crypto";
import { type Identity, enroll, openSallyport } from "@sallyport/client";
import { type Process, type System, metricsPorts, processes } from "@sallyport/deploy/local";
import { OpenService } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import type { SignedRequest } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { exchange } from "../infra/exchange.ts";
import type { startMainJob } from "./deployment.ts";
import { connectBare, poseAs } from "./mesh.ts";
import { sendSigned, signAs } from "./signed.ts";

/** A main job whose telemetry is looked at. */
export type ObservedJob = Awaited<ReturnType<typeof startMainJob>>;

/** A read that a test signs for itself, so that it knows every byte of it. */
export function signRead(machine: Identity, secretIds: readonly string[]): SignedRequest {
  const asked = { secretIds: [...secretIds] };
  return signAs(machine, ReadService.method.readSecrets, asked).signedRequest;
}

/**
 * A machine's actions in a test: it enrolls, reads, lists, and is refused in each way that a metric
 * tells apart.
 */
export async function machineDay(job: ObservedJob, name: string): Promise<Identity> {
  const machine = await enroll(job.deployment.endpoint, job.token, { name });
  const client = openSallyport(machine);
  await client.read({ secretIds: job.granted });
  await client.listReadable();
  await client.read({ secretIds: [job.ids["OTHER"] ?? ""] }).catch(() => undefined);
  client.close();
  const replayed = signRead(machine, job.granted);
  await sendSigned(machine, replayed);
  await sendSigned(machine, replayed);
  await sendSigned(machine, { ...signRead(machine, job.granted), body: randomBytes(8) });
  return machine;
}

/** Asks every process behind the gateway, as the gateway, with evidence that does not hold. */
export async function lieAsGateway(job: ObservedJob): Promise<void> {
  using liar = poseAs(job.deployment.system, "gateway");
  const signedRequest = signRead(job.machine, job.granted);
  const sourceIp = "192.0.2.7";
  for (const peer of ["identity", "policy", "secrets", "audit"] as const) {
    const request = { signedRequest, sourceIp, requestId: newId("req") };
    await liar
      .client(ForwardService, peer)
      .forward(request)
      .catch(() => undefined);
  }
  const empty = { payload: randomBytes(8), keyId: "none" };
  await liar.client(OpenService, "crypto").open({
    items: [
      {
        requestDigest: randomBytes(32),
        signedRequest,
        credential: { ...empty, signature: randomBytes(64) },
        permit: { ...empty, mac: randomBytes(32) },
        sourceIp,
      },
    ],
  });
}

/** The metrics of every process, as the operator reads them. */
export async function scrape(system: System): Promise<ReadonlyMap<Process, string>> {
  const ports = metricsPorts(system.addresses);
  const texts = processes.map(
    async (name) => [name, await getMetrics(system, ports.get(name) ?? 0)] as const,
  );
  return new Map(await Promise.all(texts));
}

async function getMetrics({ operator }: System, port: number): Promise<string> {
  const session = connectBare(port, operator.caFile, operator);
  try {
    return (await exchange(session, "/metrics", { ":method": "GET" })).text;
  } finally {
    session.close();
  }
}
