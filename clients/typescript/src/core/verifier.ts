import { ConnectError, type Interceptor } from "@connectrpc/connect";
import type { UniversalClientFn } from "@connectrpc/connect/protocol";
import { ErrorInfoSchema } from "@sallyport/proto/gen/google/rpc/error_details_pb.ts";
import {
  type SignedAnswer,
  SignedAnswerSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type AnswerOwner,
  FormatError,
  answerHeader,
  answerOwnerOf,
  concatBytes,
  unframeMessage,
} from "@sallyport/proto/signing";
import { base64 } from "@scure/base";
import {
  type AskedOwner,
  epochOf,
  readAnswerHeader,
  verifyContent,
  verifyRefusal,
} from "./answer.ts";
import { noteVouched } from "./errors.ts";
import type { KeysetKeeper } from "./keyset-keeper.ts";
import type { TrustedKeys } from "./keyset.ts";
import { SallyportError } from "./sallyport-error.ts";

/** The local response header that carries the digest of the request as it was signed, in base64. */
export const requestDigestHeader = "sallyport-request-digest";

/**
 * Verifies every answer of a transport: contents where their bytes are available, refusals where
 * they are errors.
 */
export type Verifier = {
  contents(send: UniversalClientFn): UniversalClientFn;
  readonly refusals: Interceptor;
};

/** The keys by which answers are verified. */
export type AnswerKeys = Pick<KeysetKeeper, "current" | "fetch" | "heard">;

/** An answer on the wire, read whole. */
export type WireAnswer = {
  readonly status: number;
  readonly header: Pick<Headers, "get">;
  readonly body: Uint8Array;
};

const readOnly = /\/(Get|BatchGet|List|Count|WhoAmI|ReadSecrets)[A-Za-z]*$/;

/**
 * Makes a verifier for one transport. An answer that its owner did not sign is REPLY_UNTRUSTED
 * (SIGNING §11); a refusal may be unsigned only for the gateway's own reasons, and is marked as not
 * vouched for where the request was a change. The keys are fetched before the request: it may be
 * the last that this client may make.
 */
export function createVerifier(keys: AnswerKeys, maxBytes: number): Verifier {
  // An interceptor finds the attempt of an error by its signal.
  const attempts = new WeakMap<AbortSignal, AskedOwner>();
  return {
    contents: (send) => async (request) => {
      const owner = ownerOf(new URL(request.url).pathname);
      if (owner === "itself") return send(request);
      await keys.current();
      const response = await send(request);
      const digest = response.header.get(requestDigestHeader) ?? "";
      const asked = { owner, requestDigest: base64.decode(digest) };
      if (request.signal) attempts.set(request.signal, asked);
      const body = await collected(response.body, maxBytes);
      await verifyWireContent({ ...response, body }, asked, keys);
      return { ...response, body: once(body) };
    },
    refusals: (next) => async (request) => {
      try {
        return await next(request);
      } catch (error) {
        const asked = attempts.get(request.signal);
        // Before the request is sent, the refusal is that of the keyset.
        if (!(error instanceof ConnectError) || !asked) throw error;
        const vouched = await verifyWireRefusal(error, asked, keys);
        if (vouched === true) noteVouched(error, true);
        if (vouched === false && !readOnly.test(request.url)) noteVouched(error, false);
        throw error;
      }
    },
  };
}

/** Returns the owner of a method. Throws REPLY_UNTRUSTED for a path without one. */
export function ownerOf(path: string): AnswerOwner | "itself" {
  const owner = answerOwnerOf(path);
  if (owner === undefined)
    throw new SallyportError(
      "REPLY_UNTRUSTED",
      `the answer cannot be trusted: ${path} has no owner`,
    );
  return owner;
}

/**
 * Verifies an answer on the wire and returns true; returns false for an error. Throws
 * REPLY_UNTRUSTED.
 */
export async function verifyWireContent(
  answer: WireAnswer,
  asked: AskedOwner,
  keys: AnswerKeys,
): Promise<boolean> {
  const content = contentOf(answer);
  if (!content) return false;
  const signed = readAnswerHeader(answer.header.get(answerHeader), asked);
  await verifyContent(signed, content, asked, await keysFor(signed, asked, keys));
  keys.heard(epochOf(signed));
  return true;
}

/**
 * Verifies a refusal: true when its owner signed it, false when a gateway may have refused without
 * the owner, undefined when it is no refusal of a deployment. Throws REPLY_UNTRUSTED.
 */
export async function verifyWireRefusal(
  error: ConnectError,
  asked: AskedOwner,
  keys: AnswerKeys,
): Promise<boolean | undefined> {
  const [info] = error.findDetails(ErrorInfoSchema).filter(({ domain }) => domain === "sallyport");
  if (!info) return undefined;
  const [signed] = error.findDetails(SignedAnswerSchema);
  const vouched = await verifyRefusal(signed, info, asked, await keysFor(signed, asked, keys));
  if (signed && vouched) keys.heard(epochOf(signed));
  return vouched;
}

async function keysFor(
  signed: SignedAnswer | undefined,
  { owner }: AskedOwner,
  { current, fetch }: Pick<AnswerKeys, "current" | "fetch">,
): Promise<TrustedKeys> {
  const keys = await current();
  const known = !signed || keys.answerKey(owner, signed.keyId);
  return known ? keys : fetch().catch(() => keys);
}

// The content that a client accepts as an answer, and that must be signed. Anything else becomes an
// error.
function contentOf({ status, header, body }: WireAnswer): Uint8Array | undefined {
  if (!(header.get("content-type") ?? "").startsWith("application/grpc"))
    return status === 200 ? body : undefined;
  if (body.length === 0) return undefined;
  try {
    return unframeMessage(body);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new SallyportError(
      "REPLY_UNTRUSTED",
      "the answer cannot be trusted: it is not one message",
    );
  }
}

async function collected(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > maxBytes)
      throw new SallyportError("REPLY_UNTRUSTED", "the answer is larger than any answer may be");
    chunks.push(chunk);
  }
  return concatBytes(chunks);
}

async function* once(body: Uint8Array): AsyncIterable<Uint8Array> {
  yield body;
}
