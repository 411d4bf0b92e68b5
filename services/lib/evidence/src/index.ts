/**
 * Verifies what travels with a call as proof: signed requests, credentials, permits, slips and
 * keysets, and signs those that the service owns. It exists so that no process takes the word of
 * another: each verifies the same bytes by the same steps. It promises a typed error that names the
 * step that does not hold, and checks a signature before it decodes what was signed. It must never
 * reach a database or the network, and hands out a source of keys instead of a key to keep.
 */
export { type AnswerKey, type AnswerOutcome, pickAnswerKey, signAnswer } from "./answer.ts";
export { decodeBody, encodeBody } from "./body.ts";
export { maxSkewMs } from "./claims.ts";
export { credentialLifetimeMs, openCredential, signCredential } from "./credential.ts";
export { publicKeyOf, signEd25519, verifyEd25519 } from "./ed25519.ts";
export { EvidenceError, type EvidenceStep } from "@sallyport/proto/verifying";
export type { MacKey } from "./macs.ts";
export { openPermit, permitLifetimeMs, sealPermit } from "./permit.ts";
export {
  type Expected,
  type ParsedRequest,
  type SignedHead,
  type VerifiedRequest,
  parseRequest,
} from "@sallyport/proto/verifying";
export { verifyHead, verifySignedRequest } from "./signed-request.ts";
export {
  type PublicKeyLine,
  type SigningKeyFile,
  keptOrNewSigningKeys,
} from "./signing-key-file.ts";
export { type Published, pickPublished } from "./published.ts";
export {
  type FollowKeysOptions,
  type FollowedSigner,
  followAnswerKey,
  followKeys,
  followSigner,
} from "./followed-keys.ts";
export { countRefusedStep } from "./refused-steps.ts";
export { type Principal, type Signer, signerOf } from "./signer.ts";
export { openSlip, sealSlip, slipLifetimeMs } from "./slip.ts";
export {
  type FollowTrustOptions,
  type FollowedTrust,
  type KeysetSource,
  followTrust,
  keysetFile,
} from "./followed-trust.ts";
export { type Trust, loadTrust } from "./trust.ts";
