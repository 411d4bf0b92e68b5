/**
 * The library for Node: the core over HTTP/2 with proxies and private CAs, identities in private
 * files, enrollment and login. It promises that a key on the disk is readable by its owner alone
 * and that a file is written whole or not at all. It must never decide whether an answer is to be
 * trusted: that is the core's.
 */
export type { NewSecret, NewVersion, Sallyport, Services } from "../core/client.ts";
export { openSallyport } from "./open-sallyport.ts";
export {
  type AskedOwner,
  type ToldRefusal,
  readAnswerHeader,
  verifyContent,
  verifyRefusal,
} from "../core/answer.ts";
export { type Clock, createClock, maxCorrectionMs } from "../core/clock.ts";
export {
  type EnrollOptions,
  type EnrollmentCheck,
  type LoginOptions,
  checkEnrollment,
  enroll,
  login,
} from "./enroll.ts";
export { newSeed, privateKeyOf, rawPublicKey, signBytes, verifyBytes } from "./keys.ts";
export { type TrustedKeys, verifyKeyset } from "../core/keyset.ts";
export type { Endpoint } from "./network/connection.ts";
export { openReply } from "../core/reply.ts";
export {
  type ClientReason,
  type ConnectionOptions,
  type DeploymentFacts,
  type Identity,
  type PublicReason,
  type ReadResult,
  type ReadTarget,
  type Reader,
  type RetryOptions,
  SallyportError,
  checkPrivateFolder,
  erasePrivateFile,
  loadIdentity,
  openReader,
  readPrivateFile,
  retrying,
  saveIdentity,
  toSallyportError,
  writePrivateFile,
} from "./reading.ts";
export { type Recipient, type WriteTarget, createRecipient, sealValue } from "../core/seal.ts";
export type { RequestTarget, SignedHeaders } from "../core/signer.ts";
export { type Signer, createSigner } from "./signer.ts";
export {
  type TokenKind,
  type TokenSecret,
  formatToken,
  newTokenSecret,
  parseToken,
  proveRenewal,
  proveToken,
} from "./token.ts";
export {
  type PinnedEndpoint,
  type SignedTransport,
  createSignedTransport,
  pinned,
} from "./transport.ts";
export { type AnswerKeys, requestDigestHeader } from "../core/verifier.ts";
export { version } from "../core/version.ts";
export { type ForeignAnswer, verifyForeignAnswer } from "./wire-answer.ts";
