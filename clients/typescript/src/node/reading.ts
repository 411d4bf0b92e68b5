/**
 * The part of the library for a program that only reads. It loads in half the time of the full
 * library.
 */
export { toSallyportError } from "../core/errors.ts";
export { type Identity, loadIdentity, saveIdentity } from "./identity.ts";
export {
  checkPrivateFolder,
  erasePrivateFile,
  readPrivateFile,
  writePrivateFile,
} from "./private-file.ts";
export { openReader } from "./open-reader.ts";
export type { DeploymentFacts, ReadTarget, Reader } from "../core/reader.ts";
export type { ReadResult } from "../core/reply.ts";
export { type RetryOptions, retrying } from "../core/retry.ts";
export {
  type ClientReason,
  type PublicReason,
  type ToldReason,
  SallyportError,
} from "../core/sallyport-error.ts";
export type { ConnectionOptions } from "./transport.ts";
