export {
  type NewSecret,
  type NewVersion,
  type ReadTarget,
  type Sallyport,
  type Services,
  openSallyport,
} from "./client.ts";
export { type EnrollOptions, enroll, login } from "./enroll.ts";
export { SallyportError, toSallyportError } from "./errors.ts";
export { signingInterceptor } from "./grpc.ts";
export { type Identity, loadIdentity, saveIdentity } from "./identity.ts";
export { newSeed, privateKeyOf, rawPublicKey, signBytes, verifyBytes } from "./keys.ts";
export { type TrustedKeys, verifyKeyset } from "./keyset.ts";
export { type ReadResult, openReply } from "./reply.ts";
export { type Recipient, type WriteTarget, createRecipient, sealValue } from "./seal.ts";
export { type RequestTarget, type SignedHeaders, type Signer, createSigner } from "./signer.ts";
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
  type Endpoint,
  type SignedTransport,
  createSignedTransport,
  requestDigestHeader,
} from "./transport.ts";
