import type { SealedSecret } from "@sallyport/proto/gen/sallyport/policy/v1/sealing_pb.ts";
import {
  type ValueOf,
  boolean,
  listOf,
  nullable,
  object,
  text,
  time,
} from "../definition/shape.ts";
import { UsageError } from "../app/failure.ts";
import type { Names } from "../find/names.ts";
import { momentOf } from "./moment.ts";
import { person, personShape } from "./person.ts";

/** The words for a setting. */
export const settings = ["on", "off"] as const;

const sealedSecretShape = object({
  secretId: text("the secret's id"),
  name: nullable(text("its name")),
  project: nullable(text("its project's name")),
  projectId: text("its project's id"),
  createdAt: nullable(time("since when")),
  createdBy: nullable(personShape("who required it")),
});

/** The reads of a vault that have to be sealed, as JSON. */
export const vaultSealingShape = object({
  required: boolean("whether every secret of the vault is read sealed only"),
  createdAt: nullable(time("since when; null when it is not required")),
  createdBy: nullable(personShape("who required it; null when it is not required")),
  secrets: listOf(
    sealedSecretShape,
    "the secrets that are read sealed only by a setting of their own",
  ),
});

/** The same as commands print it. */
export type VaultSealingView = ValueOf<typeof vaultSealingShape>;

/** A secret that is read sealed only, as commands print it. */
export function sealedSecretView(
  { secretId, projectId, createdAt, createdBy }: SealedSecret,
  names: Names,
): ValueOf<typeof sealedSecretShape> {
  return {
    secretId,
    name: names.get(secretId) ?? null,
    project: names.get(projectId) ?? null,
    projectId,
    createdAt: momentOf(createdAt),
    createdBy: person(createdBy, names),
  };
}

/** Reads "on" or "off"; UsageError for anything else. */
export function readSetting(typed: string): boolean {
  if (typed === "on") return true;
  if (typed === "off") return false;
  throw new UsageError(`sealing is on or off, not "${typed}"`);
}
