/**
 * The verifying half of SIGNING.md that clients and processes share: heads, bodies, keysets and
 * answers, step by step. It exists so that a foreign signer's author is shown the same step that
 * the gateway stops at. It promises a typed error for each step. It must never do I/O or skip a
 * step that a caller did not ask to skip.
 */
export { type SignedBody, decodeMessage, violationIn } from "./body.ts";
export { EvidenceError, type EvidenceStep, atStep } from "./evidence-error.ts";
export {
  HeadError,
  type RequestHead,
  UnsignedError,
  checkFrame,
  readSignedHead,
} from "./request-head.ts";
export { inputOf, publicServices } from "./public-methods.ts";
export {
  type Expected,
  type ParsedRequest,
  type RequestVerifier,
  type SignedHead,
  type VerifiedRequest,
  type VerifyEd25519,
  checkDigest,
  createRequestVerifier,
  parseRequest,
} from "./signed-request.ts";
export { type FieldViolation, violationOf } from "./validate.ts";
