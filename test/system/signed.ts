import {
  type DescMessage,
  type DescMethod,
  type MessageInitShape,
  create,
  toBinary,
} from "@bufbuild/protobuf";
import { type Endpoint, type Identity, type Signer, createSigner } from "@sallyport/client";
import {
  type SignedRequest,
  SignedRequestSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { type Answer, exchangeOnce } from "../infra/exchange.ts";

/** A request that its client signed, as the gateway has it in its hands. */
export type Signed<M = unknown> = {
  readonly keyId: string;
  readonly signedRequest: SignedRequest;
  readonly digest: Uint8Array;
  readonly message: M;
};

const contentType = "application/proto";

/** Signs a request as an honest client of that identity does. */
export function signAs<I extends DescMessage>(
  identity: Identity,
  method: DescMethod & { readonly input: I },
  init: MessageInitShape<I>,
  clock: () => number = Date.now,
) {
  const signer = createSigner(Buffer.from(identity.seed, "base64"), identity.keyId, clock);
  return signWith(signer, new URL(identity.url).host, method, init);
}

/** Signs with any key, for the deployment of that public name. */
export function signWith<I extends DescMessage>(
  signer: Signer,
  authority: string,
  method: DescMethod & { readonly input: I },
  init: MessageInitShape<I>,
) {
  const message = create(method.input, init);
  const body = toBinary(method.input, message);
  const path = `/${method.parent.typeName}/${method.name}`;
  const { headers, requestDigest } = signer.sign({ authority, path, contentType }, body);
  const signedRequest = create(SignedRequestSchema, {
    method: "POST",
    authority,
    path,
    contentType,
    contentDigest: headers["content-digest"],
    signatureInput: headers["signature-input"],
    signature: headers.signature,
    body,
  });
  return { keyId: signer.keyId, signedRequest, digest: requestDigest, message };
}

/** Sends a signed request byte for byte, with further headers. */
export function sendSigned(
  endpoint: Endpoint,
  { path, contentType, contentDigest, signatureInput, signature, body }: SignedRequest,
  more: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const headers = {
    "content-type": contentType,
    "content-digest": contentDigest,
    "signature-input": signatureInput,
    signature,
    ...more,
  };
  return exchangeOnce(endpoint, path, headers, body);
}
