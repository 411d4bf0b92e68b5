import { createHash } from "node:crypto";
import { verifyBytes } from "@sallyport/client/keys";
import { contentDigest } from "@sallyport/proto/signing";
import {
  HeadError,
  type ParsedRequest,
  type SignedHead,
  checkDigest,
  checkFrame,
  createRequestVerifier,
  decodeMessage,
  inputOf,
  parseRequest,
  readSignedHead,
  violationIn,
} from "@sallyport/proto/verifying";
import type { CapturedRequest } from "./captured.ts";
import { likelyMistake } from "./mistakes.ts";
import { type StepResult, createStepper } from "./stepper.ts";

/** The expectations that a request is checked against, where they are known. */
export type Against = {
  /** The key that must have signed, and its keyid where that is known. */
  readonly keyOf: (keyId: string) => Promise<KeyGiven>;
  /**
   * The deployment's public names; empty where they are not known. Asked for once the key was
   * found.
   */
  readonly names: () => readonly string[];
  /** The time by which its age is judged, in milliseconds; undefined does not judge it. */
  readonly atMs: number | undefined;
};

/**
 * A public key, with the keyid under which it must sign; undefined takes the one that the request
 * names.
 */
export type KeyGiven = { readonly publicKey: Uint8Array; readonly keyId: string | undefined };

/** The result of checking a captured request. Holds nothing of its content. */
export type Checked = {
  readonly holds: boolean;
  readonly steps: readonly StepResult[];
  /** The text that the signature must be over (SIGNING §4); null when the headers give none. */
  readonly base: string | null;
  /** SIGNING §6, in hex. */
  readonly requestDigest: string | null;
  readonly bodyBytes: number;
  /** In hex. */
  readonly bodySha256: string;
};

const { verifyHead } = createRequestVerifier(verifyBytes);
const windowSeconds = 60;

/**
 * Checks a captured request in the order of SIGNING §4.1, with the code of the gateway's own
 * verifier, up to the first step that does not hold; what is behind it stays open. Asks no server.
 */
export async function checkCaptured(request: CapturedRequest, against: Against): Promise<Checked> {
  const stepper = createStepper();
  const head = stepper.take("head", () => readSignedHead(request));
  const parsed = head && stepper.take("form", () => parseRequest(head));
  if (head && parsed) {
    await checkSignature(head, parsed, against, stepper.take);
    checkBody(head, request.body, stepper.take);
  }
  const steps = stepper.results();
  return {
    holds: steps.every(({ status }) => status === "ok"),
    steps,
    base: parsed ? Buffer.from(parsed.base).toString("latin1") : null,
    requestDigest: parsed ? Buffer.from(parsed.digest).toString("hex") : null,
    bodyBytes: request.body.length,
    bodySha256: createHash("sha256").update(request.body).digest("hex"),
  };
}

type Take = ReturnType<typeof createStepper>["take"];

async function checkSignature(
  head: SignedHead,
  parsed: ParsedRequest,
  { keyOf, names, atMs }: Against,
  take: Take,
): Promise<void> {
  const { publicKey, keyId = parsed.keyId } = await keyOf(parsed.keyId);
  const ours = names();
  const expected = {
    publicKey,
    keyId,
    authorities: ours.length > 0 ? ours : [head.authority],
    nowMs: atMs ?? parsed.created * 1000,
    windowSeconds,
  };
  take("signature", () => verifyHead(head, parsed, expected), {
    signature: () => likelyMistake(parsed, publicKey),
    created: () => `it says ${new Date(parsed.created * 1000).toISOString()}`,
    authority: () => `it says ${head.authority}`,
    binding: () => `it says ${parsed.keyId}, and the key is that of ${keyId}`,
  });
}

function checkBody(head: SignedHead, body: Uint8Array, take: Take): void {
  const digest = { body, contentDigest: head.contentDigest };
  take("digest", () => (checkDigest(digest), true), {
    "content-digest": () => `the content's is ${contentDigest(body)}`,
  });
  const read = take("body", () => {
    checkFrame(head.contentType, body);
    const input = inputOf(head.path);
    if (!input)
      throw new HeadError("path", "it is no public method's, so its request type is unknown");
    return { input, message: decodeMessage(input, { ...head, body }) };
  });
  if (!read) return;
  take("field", () => {
    const violation = violationIn(read.input, read.message);
    if (violation) throw new HeadError(violation.field, violation.description);
    return true;
  });
}
