import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Deletion, Scope } from "../store/deletion.ts";
import type { StoredProject } from "../store/projects.ts";
import type { StoredSecret } from "../store/secrets.ts";
import type { StoredVersion } from "../store/versions.ts";

/** The scope that a request's show_deleted asks for. */
export function scopeOf({ showDeleted }: { readonly showDeleted: boolean }): Scope {
  return showDeleted ? "restorable" : "living";
}

/** A project as its users see it. */
export function shownProject({
  projectId,
  name,
  createdAt,
  createdBy,
  secrets,
  deletion,
}: StoredProject) {
  return {
    projectId,
    name,
    createdAt: timestampFromDate(createdAt),
    createdBy,
    secrets,
    ...shownDeletion(deletion),
  };
}

/** A secret as its users see it; there is no value in it. */
export function shownSecret({
  createdAt,
  updatedAt,
  fieldNames,
  deletion,
  ...secret
}: StoredSecret) {
  return {
    ...secret,
    fieldNames: [...fieldNames],
    createdAt: timestampFromDate(createdAt),
    updatedAt: timestampFromDate(updatedAt),
    ...shownDeletion(deletion),
  };
}

/** A version as its users see it. */
export function shownVersion({ createdAt, fieldNames, ...version }: StoredVersion) {
  return { ...version, fieldNames: [...fieldNames], createdAt: timestampFromDate(createdAt) };
}

function shownDeletion(deletion: Deletion | undefined) {
  if (!deletion) return {};
  const { deletedAt, deletedBy, purgeAt } = deletion;
  return {
    deletedAt: timestampFromDate(deletedAt),
    deletedBy,
    purgeAt: timestampFromDate(purgeAt),
  };
}
