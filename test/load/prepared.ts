import { create, toBinary } from "@bufbuild/protobuf";
import { type createRecipient, createSigner } from "@sallyport/client";
import { SealingSuite } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ReadSecretsRequestSchema } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import type { Key } from "./plan.ts";

/** A signed request, ready to be sent once. */
export type Prepared = {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

const path = "/sallyport.gateway.v1.ReadService/ReadSecrets";
const contentType = "application/proto";

/** Signs so many sealed reads of the secrets, by each key in turn. */
export function prepareReads(
  keys: readonly Key[],
  secretIds: readonly string[],
  { publicKey }: Pick<Awaited<ReturnType<typeof createRecipient>>, "publicKey">,
  authority: string,
  count: number,
): Prepared[] {
  const suite = SealingSuite.HPKE_X25519_SHA256_AES256GCM;
  const recipient = { suite, publicKey };
  const message = create(ReadSecretsRequestSchema, {
    secretIds: [...secretIds],
    allOrNothing: true,
    recipient,
  });
  const body = toBinary(ReadSecretsRequestSchema, message);
  const signers = keys.map(({ keyId, seed }) => createSigner(Buffer.from(seed, "base64"), keyId));
  return Array.from({ length: count }, (_, index) => {
    const signer = signers[index % signers.length];
    if (!signer) throw new Error("nobody signs");
    const { headers } = signer.sign({ authority, path, contentType }, body);
    return {
      body,
      headers: { ":method": "POST", ":path": path, "content-type": contentType, ...headers },
    };
  });
}
