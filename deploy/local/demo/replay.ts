import { connect } from "node:http2";
import { text as readText } from "node:stream/consumers";
import { type Identity, createSigner } from "@sallyport/client";
import { toJsonString, create } from "@bufbuild/protobuf";
import { ReadSecretsRequestSchema } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";

/** An answer: the HTTP status and the body's text. */
export type Answer = { readonly status: number; readonly text: string };

/** Signs one read, as a client without sealing would, and sends the same bytes twice. */
export async function sendTwice(
  endpoint: { url: string; ca: string },
  identity: Identity,
  secretIds: readonly string[],
): Promise<[Answer, Answer]> {
  const body = Buffer.from(
    toJsonString(
      ReadSecretsRequestSchema,
      create(ReadSecretsRequestSchema, { secretIds: [...secretIds] }),
    ),
  );
  const path = "/sallyport.gateway.v1.ReadService/ReadSecrets";
  const target = { authority: new URL(endpoint.url).host, path, contentType: "application/json" };
  const signed = createSigner(Buffer.from(identity.seed, "base64"), identity.keyId).sign(
    target,
    body,
  );
  const headers = {
    ":method": "POST",
    ":path": path,
    "content-type": "application/json",
    ...signed.headers,
  };
  const session = connect(endpoint.url, { ca: endpoint.ca });
  try {
    const send = async (): Promise<Answer> => {
      const stream = session.request(headers);
      stream.end(body);
      const status = new Promise<number>((resolve, reject) => {
        stream
          .once("response", (response) => resolve(response[":status"] ?? 0))
          .once("error", reject);
      });
      return { status: await status, text: await readText(stream) };
    };
    const first = await send();
    return [first, await send()];
  } finally {
    session.close();
  }
}
