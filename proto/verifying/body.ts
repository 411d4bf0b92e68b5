import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { SignedRequest } from "../gen/sallyport/evidence/v1/evidence_pb.ts";
import { contentTypeOf, fromStrictBinary, unframeMessage } from "../signing/index.ts";
import { EvidenceError, atStep } from "./evidence-error.ts";
import { badKeyIn } from "./public-keys.ts";
import { fromStrictJson } from "./strict-json.ts";
import { type FieldViolation, violationOf } from "./validate.ts";

/** A body as it was signed. */
export type SignedBody = Pick<SignedRequest, "contentType" | "body">;

/**
 * Decodes the body of a signed request by its content type, so that every process reads the same
 * message from the same bytes (SIGNING §5.4). Throws EvidenceError ("content-type", "body").
 */
export function decodeMessage<D extends DescMessage>(
  schema: D,
  { contentType: header, body }: SignedBody,
): MessageShape<D> {
  const contentType = contentTypeOf(header);
  switch (contentType) {
    case "json":
      return atStep("body", () => fromStrictJson(schema, body));
    case "proto":
      return atStep("body", () => fromStrictBinary(schema, body));
    case "grpc":
      return atStep("body", () => fromStrictBinary(schema, unframeMessage(body)));
    case undefined:
      throw new EvidenceError("content-type", "it is not accepted");
    default:
      throw new Error(`unknown content type ${String(contentType satisfies never)}`);
  }
}

/**
 * Returns the first violation of a message's contract: a bound, or a key that no honest client
 * makes (SIGNING §5.5).
 */
export function violationIn<D extends DescMessage>(
  schema: D,
  message: MessageShape<D>,
): FieldViolation | undefined {
  return violationOf(schema, message) ?? badKeyIn(schema, message);
}
