import {
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  create,
} from "@bufbuild/protobuf";
import { methodPath } from "@sallyport/proto/names/method-path";
import type { TestGateway } from "./gateway.ts";
import { type Covered, type TestKey, signatureHeaders } from "./keys.ts";
import { type Answer, type Sent, type Wire, encode, readAnswer } from "./wires.ts";

/** A test's changes to a request before it is signed. */
export type Unsigned = Partial<Covered>;

/** Signs a request for a wire, ready to send; `unsigned` replaces parts before they are signed. */
export function signedRequest<I extends DescMessage>(
  wire: Wire,
  gateway: Pick<TestGateway, "authority">,
  key: TestKey,
  method: DescMethodUnary<I>,
  request: MessageInitShape<I>,
  unsigned: Unsigned = {},
): Sent {
  const { contentType } = wire;
  const body = encode(contentType, method.input, create(method.input, request));
  const covered = {
    authority: gateway.authority,
    path: methodPath(method),
    contentType,
    body,
    ...unsigned,
  };
  return {
    method: "POST",
    url: covered.path,
    authority: gateway.authority,
    headers: [
      ["content-type", covered.contentType],
      ...Object.entries(signatureHeaders(key, covered)),
    ],
    body: covered.body,
  };
}

/** Signs, sends and reads the answer. */
export async function call<I extends DescMessage, O extends DescMessage>(
  wire: Wire,
  gateway: TestGateway,
  key: TestKey,
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
  unsigned: Unsigned = {},
): Promise<Answer<O>> {
  const sent = signedRequest(wire, gateway, key, method, request, unsigned);
  return readAnswer(method.output, await wire.send(gateway, sent));
}
