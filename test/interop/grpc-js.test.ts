import { Client, type ServiceError, credentials, status } from "@grpc/grpc-js";
import {
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
  create,
  fromBinary,
  toBinary,
} from "@bufbuild/protobuf";
import { createSigner, newSeed, parseToken, proveToken } from "@sallyport/client";
import { signingInterceptor } from "@sallyport/client/grpc";
import {
  ReadSecretsRequestSchema,
  ReadSecretsResponseSchema,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import {
  EnrollRequestSchema,
  EnrollResponseSchema,
} from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startMainJob } from "../system/deployment.ts";

let job: Awaited<ReturnType<typeof startMainJob>>;

beforeAll(async () => {
  job = await startMainJob();
});
afterAll(async () => {
  job.admin.close();
  await job.deployment[Symbol.asyncDispose]();
});

function open(seed: Uint8Array, keyId?: string): Client {
  const { host } = new URL(job.deployment.endpoint.url);
  const ca = Buffer.from(job.deployment.endpoint.ca ?? "");
  return new Client(host, credentials.createSsl(ca), {
    interceptors: [signingInterceptor(createSigner(seed, keyId), host)],
    "grpc.enable_retries": 0,
  });
}

function call<I extends DescMessage, O extends DescMessage>(
  client: Client,
  path: string,
  input: I,
  output: O,
  init: MessageInitShape<I>,
) {
  return new Promise<MessageShape<O>>((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      (message: MessageShape<I>) => Buffer.from(toBinary(input, message)),
      (bytes: Buffer) => fromBinary(output, bytes),
      create(input, init),
      (error: ServiceError | null, reply?: MessageShape<O>) =>
        reply ? resolve(reply) : reject(error ?? new Error("no reply")),
    );
  });
}

test("@grpc/grpc-js enrolls and reads with its own calls", async () => {
  const seed = newSeed();
  const token = parseToken(job.token, "enr");
  const { publicKey: machinePublicKey } = createSigner(seed);
  const { publicKey, proof } = proveToken("enr", token.vaultId, token.seed, machinePublicKey);
  const stranger = open(seed);
  const enrollment = {
    vaultId: token.vaultId,
    admission: { case: "token", value: { tokenId: token.id, publicKey, proof } } as const,
    machinePublicKey,
    hostname: "grpc-js",
  };
  const { machineId } = await call(
    stranger,
    "/sallyport.identity.v1.EnrollmentService/Enroll",
    EnrollRequestSchema,
    EnrollResponseSchema,
    enrollment,
  );
  stranger.close();

  const machine = open(seed, machineId);
  const path = "/sallyport.gateway.v1.ReadService/ReadSecrets";
  const read = (secretIds: string[]) =>
    call(machine, path, ReadSecretsRequestSchema, ReadSecretsResponseSchema, {
      secretIds,
      allOrNothing: true,
    });
  const { secrets } = await read([...job.granted]);
  const values = secrets.map(({ content }) =>
    content.case === "value" ? Buffer.from(content.value).toString() : "",
  );
  expect(values.toSorted()).toEqual([job.values.API_KEY, job.values.DB_URL].toSorted());
  await expect(read([job.ids["OTHER"] ?? ""])).rejects.toMatchObject({
    code: status.PERMISSION_DENIED,
  });
  machine.close();
});
