export { KeysetFileError, filesOf, readKeyset, writeKeyset } from "./files.ts";
export { type PublishedKey, keyIn } from "./published.ts";
export { openAsOfThen } from "./open.ts";
export { type RenewOptions, type RenewedKeyset, haveAll, renewKeyset } from "./renew.ts";
export {
  type KeySlot,
  type RotateOptions,
  type Rotated,
  type RotationStep,
  type Standing,
  NotDueError,
  allKeySlots,
  nameOf,
  rotate,
  standingOf,
} from "./rotation/index.ts";
export { type SignOptions, type SignedSigner, signSigner } from "./sign.ts";
