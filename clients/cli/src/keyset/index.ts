export { KeysetFileError, filesOf, readKeyset, writeKeyset } from "./files.ts";
export { type PublishedKey, keyIn } from "./published.ts";
export { openAsOfThen } from "./open.ts";
export { type RenewOptions, type RenewedKeyset, renewKeyset } from "./renew.ts";
export { type SignOptions, type SignedSigner, signSigner } from "./sign.ts";
