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
