import { toBinary } from "@bufbuild/protobuf";
import { type ContextValues, createContextKey } from "@connectrpc/connect";
import type {
  UniversalHandler,
  UniversalHandlerFn,
  UniversalServerResponse,
} from "@connectrpc/connect/protocol";
import { SignedAnswerSchema } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { answerHeader, contentTypeOf, frameMessage } from "@sallyport/proto/signing";
import type { OwnersAnswer } from "./forward.ts";

const key = createContextKey<OwnersAnswer | undefined>(undefined, {
  description: "the owner's own answer",
});

/**
 * Notes the owner's answer, which `verbatim` sends instead of the message that the router would
 * encode.
 */
export function keepAnswer(values: ContextValues, answer: OwnersAnswer): void {
  values.set(key, answer);
}

/**
 * The same handler, which answers with an owner's own bytes and signature where they were noted: an
 * owner signs bytes, and to decode and encode them again could change them. Status, headers and
 * trailers stay those of the router; refusals do not pass here.
 */
export function verbatim(handler: UniversalHandler): UniversalHandler {
  const answered: UniversalHandlerFn = async (request) => {
    const response = await handler(request);
    const kept = request.contextValues?.get(key);
    return kept ? replaced(response, kept, request.header.get("content-type") ?? "") : response;
  };
  return Object.assign(answered, handler);
}

function replaced(
  response: UniversalServerResponse,
  { message, answer }: OwnersAnswer,
  contentType: string,
): UniversalServerResponse {
  const content = contentTypeOf(contentType) === "grpc" ? frameMessage(message) : message;
  const header = new Headers(response.header);
  header.set(answerHeader, Buffer.from(toBinary(SignedAnswerSchema, answer)).toString("base64url"));
  if (header.has("content-length")) header.set("content-length", String(content.length));
  return { ...response, header, body: insteadOf(response.body, content) };
}

// The router's own body is read to its end all the same: only then are its trailers complete.
async function* insteadOf(
  written: UniversalServerResponse["body"],
  content: Uint8Array,
): AsyncIterable<Uint8Array> {
  if (written && !(written instanceof Uint8Array)) for await (const _ of written) continue;
  yield content;
}
