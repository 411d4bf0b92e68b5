import {
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
  create,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { SignedRequest } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { contentTypeOf } from "@sallyport/proto/signing";
import { fail } from "@sallyport/rpc";
import { type SignedBody, decodeMessage, violationIn } from "@sallyport/proto/verifying";

/**
 * Decodes the body of a signed request by its content type, so that every process reads the same
 * message from the same bytes (SIGNING §5). Throws EvidenceError ("content-type", "body") for its
 * form and Failure FIELD_INVALID for bounds and for keys that no client makes.
 */
export function decodeBody<D extends DescMessage>(schema: D, signed: SignedBody): MessageShape<D> {
  const message = decodeMessage(schema, signed);
  const violation = violationIn(schema, message);
  if (violation) throw fail(Reason.FIELD_INVALID, violation);
  return message;
}

/**
 * Encodes a reply in the encoding of the request's content type, without a gRPC frame: JSON for
 * application/json, binary for the others. These are the bytes that an owner signs and a client
 * gets.
 */
export function encodeBody<D extends DescMessage>(
  schema: D,
  reply: MessageInitShape<D>,
  { contentType }: Pick<SignedRequest, "contentType">,
): Uint8Array<ArrayBuffer> {
  const message = create(schema, reply);
  if (contentTypeOf(contentType) !== "json") return toBinary(schema, message);
  return new TextEncoder().encode(toJsonString(schema, message));
}
