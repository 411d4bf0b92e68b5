import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";
import { type Identity, createSigner, enroll, openSallyport } from "@sallyport/client";
import { type Process, type System, metricsPorts, processes } from "@sallyport/deploy/local";
import { OpenService } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import {
  type SignedRequest,
  SignedRequestSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ReadSecretsRequestSchema } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { type PeerConnection, connectPeer } from "@sallyport/rpc";
import type { startMainJob } from "./deployment.ts";

/** A main job whose telemetry is looked at. */
export type ObservedJob = Awaited<ReturnType<typeof startMainJob>>;

const path = "/sallyport.gateway.v1.ReadService/ReadSecrets";
const contentType = "application/proto";

/** A read that a test signs for itself, so that it knows every byte of it. */
export function signRead(machine: Identity, secretIds: readonly string[]): SignedRequest {
  const body = toBinary(
    ReadSecretsRequestSchema,
    create(ReadSecretsRequestSchema, { secretIds: [...secretIds] }),
  );
  const authority = new URL(machine.url).host;
  const signer = createSigner(Buffer.from(machine.seed, "base64"), machine.keyId);
  const { headers } = signer.sign({ authority, path, contentType }, body);
  return create(SignedRequestSchema, {
    method: "POST",
    authority,
    path,
    contentType,
    contentDigest: headers["content-digest"],
    signatureInput: headers["signature-input"],
    signature: headers.signature,
    body,
  });
}

/** Sends a signed request with further headers and returns its status. */
export function send(
  { url, ca }: Pick<Identity, "url" | "ca">,
  request: SignedRequest,
  headers: Readonly<Record<string, string>>,
): Promise<number> {
  const session = connectHttp2(url, ca === undefined ? {} : { ca });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const stream = session.request({
    ":method": request.method,
    ":path": request.path,
    "content-type": request.contentType,
    "content-digest": request.contentDigest,
    "signature-input": request.signatureInput,
    signature: request.signature,
    ...headers,
  });
  let status = 0;
  stream.on("response", (response) => (status = response[":status"] ?? 0));
  stream
    .on("data", () => undefined)
    .on("end", () => resolve(status))
    .on("error", reject);
  stream.end(request.body);
  return promise.finally(() => session.close());
}

/** What a machine does in a test: it enrolls, reads, lists, and is refused in each way that a metric tells apart. */
export async function machineDay(job: ObservedJob, name: string): Promise<Identity> {
  const machine = await enroll(job.deployment.endpoint, job.token, { name });
  const client = openSallyport(machine);
  await client.read({ secretIds: job.granted });
  await client.listReadable();
  await client.read({ secretIds: [job.ids["OTHER"] ?? ""] }).catch(() => undefined);
  client.close();
  const replayed = signRead(machine, job.granted);
  await send(machine, replayed, {});
  await send(machine, replayed, {});
  await send(machine, { ...signRead(machine, job.granted), body: randomBytes(8) }, {});
  return machine;
}

/** Asks every process behind the gateway, as the gateway, with evidence that does not hold. */
export async function lieAsGateway(job: ObservedJob): Promise<void> {
  const signedRequest = signRead(job.machine, job.granted);
  const sourceIp = "192.0.2.7";
  for (const peer of ["identity", "policy", "secrets", "audit"] as const)
    await asGateway(job, peer, async ({ transport }) => {
      const forwarding: Client<typeof ForwardService> = createClient(ForwardService, transport);
      await forwarding.forward({ signedRequest, sourceIp, requestId: newId("req") }).catch(() => undefined);
    });
  const empty = { payload: randomBytes(8), keyId: "none" };
  await asGateway(job, "crypto", async ({ transport }) => {
    await createClient(OpenService, transport).open({
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
  });
}

async function asGateway(
  { deployment: { system } }: ObservedJob,
  peer: Exclude<Process, "gateway">,
  run: (connection: PeerConnection) => Promise<void>,
): Promise<void> {
  const folder = system.layout.folder("gateway");
  const tls = {
    certFile: join(folder, "gateway.pem"),
    keyFile: join(folder, "gateway.key"),
    caFile: join(folder, "ca.pem"),
  };
  const url = `https://localhost:${system.addresses.ports[peer]}`;
  await using connection = connectPeer({ peer, url, tls, trustDomain: "sallyport.local" });
  await run(connection);
}

/** The metrics of every process, as the operator reads them. */
export async function scrape(system: System): Promise<ReadonlyMap<Process, string>> {
  const ports = metricsPorts(system.addresses);
  const texts = processes.map(
    async (name) => [name, await getMetrics(system.operator, ports.get(name) ?? 0)] as const,
  );
  return new Map(await Promise.all(texts));
}

function getMetrics(
  { caFile, certFile, keyFile }: ObservedJob["deployment"]["system"]["operator"],
  port: number,
): Promise<string> {
  const session = connectHttp2(`https://localhost:${port}`, {
    ca: readFileSync(caFile),
    cert: readFileSync(certFile),
    key: readFileSync(keyFile),
  });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = "";
  session.on("error", reject);
  session
    .request({ ":path": "/metrics" })
    .setEncoding("utf8")
    .on("data", (chunk: string) => (text += chunk))
    .on("end", () => resolve(text))
    .on("error", reject);
  return promise.finally(() => session.close());
}
