/**
 * The request signing profile (SIGNING.md): signature bases, digests, labels, tokens and
 * statements, as bytes. It exists so that clients and processes compute the same bytes in any
 * JavaScript runtime. It promises strict forms: what it accepts serialises to the same text. It
 * must never import from node: or use a global that only Node has, and it does no I/O.
 */
export {
  type AnswerOwner,
  answerHeader,
  answerOwnerOf,
  answerOwners,
  answerPreimage,
} from "./answer.ts";
export { normaliseAuthority } from "./authority.ts";
export { baseOf, type CoveredComponents, requestDigest, signatureBase } from "./base.ts";
export { concatBytes, equalBytes } from "./bytes.ts";
export { contentDigest, isContentDigest } from "./content-digest.ts";
export {
  acceptedContentTypes,
  type ContentType,
  contentTypeOf,
  maxContentBytes,
} from "./content-type.ts";
export { type Curve, type PointFault, pointFaultOf } from "./curve-point.ts";
export { FormatError } from "./format-error.ts";
export { frameMessage, unframeMessage } from "./grpc-frame.ts";
export { type KeyId, parseKeyId } from "./key-id.ts";
export {
  type KeysetKey,
  type KeysetStep,
  type OpenedKeyset,
  KeysetError,
  openKeyset,
  openKeysetAsync,
  signKeyset,
  maxKeysetKeys,
  signKeysetSigner,
} from "./keyset.ts";
export { LABELS, type Label, labelled, lengthPrefixed } from "./labels.ts";
export {
  parseSignature,
  parseSignatureInput,
  type ParsedSignatureInput,
} from "./signature-headers.ts";
export { signatureParams, type SignatureParameters } from "./signature-params.ts";
export { sha256 } from "#sha256";
export { readAad, readInfo, writeInfo, type WriteBinding } from "./sealing.ts";
export { newSecretId, secretIdNonceBytes, secretIdOf } from "./secret-id.ts";
export { fromStrictBinary } from "./strict-binary.ts";
export {
  enrollmentStatement,
  loginStatement,
  renewalStatement,
  rootFingerprint,
} from "./statements.ts";
export {
  formatToken,
  parseToken,
  type TokenKind,
  type TokenParts,
  type ParsedToken,
} from "./token.ts";
