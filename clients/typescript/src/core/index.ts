/**
 * The library for any JavaScript runtime: browsers, edge workers, Deno, Bun and Node. It exists so
 * that a page or a worker can read secrets with the same checks as a server: every request is
 * signed over the bytes it sends, every answer verified over the bytes it gets, against the pinned
 * root, before anything of it is handed out. It reaches the gateway by the runtime's fetch and
 * signs with a key that may stay inside WebCrypto. It must never import from node: or use a global
 * that only Node has, and it keeps nothing: where a key or an epoch is stored is for the caller to
 * say.
 */
export {
  type AskedOwner,
  type ToldRefusal,
  readAnswerHeader,
  verifyContent,
  verifyRefusal,
} from "./answer.ts";
export type { NewSecret, NewVersion, Sallyport, Services } from "./client.ts";
export { type Clock, createClock, maxCorrectionMs } from "./clock.ts";
export { type Ed25519, type SigningKey, createEd25519, ed25519 } from "./ed25519.ts";
export { toSallyportError } from "./errors.ts";
export type { Fetch } from "./fetch-link.ts";
export { type TrustedKeys, verifyKeyset } from "./keyset.ts";
export { type FetchOptions, type Principal, openReader, openSallyport } from "./open.ts";
export type { DeploymentFacts, ReadTarget, Reader } from "./reader.ts";
export { type ReadResult, openReply } from "./reply.ts";
export { type RetryOptions, retrying } from "./retry.ts";
export { type ClientReason, type PublicReason, SallyportError } from "./sallyport-error.ts";
export { type Recipient, type WriteTarget, createRecipient, sealValue } from "./seal.ts";
export { type RequestTarget, type SignedHeaders, type Signer, createSigner } from "./signer.ts";
export type { RequestOptions } from "./transport.ts";
export { version } from "./version.ts";
