import { ValueKindSchema } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import type { Secret } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { enumName } from "@sallyport/proto/names";
import {
  type ValueOf,
  integer,
  listOf,
  nullable,
  object,
  text,
  time,
} from "../definition/shape.ts";
import { type NameSource, type Names, namesOf } from "../find/names.ts";
import { momentOf } from "./moment.ts";
import { person, personShape } from "./person.ts";

/** A secret without its value, as JSON. */
export const secretShape = object({
  secretId: text("the secret's id"),
  name: text("its name"),
  project: text("its project's name"),
  projectId: text("its project's id"),
  version: integer("its current version"),
  rollbackOf: nullable(
    integer("the version whose value the current one brought back; null when it is new"),
  ),
  kind: text("`single` or `fields`"),
  fields: listOf(text("a field's name"), "the names of its fields; none for a single value"),
  note: text("what people wrote about it; empty when nothing"),
  createdAt: nullable(time("when it was made")),
  createdBy: nullable(personShape("who made it")),
  updatedAt: nullable(time("when the current version was made")),
  updatedBy: nullable(personShape("who made the current version")),
  deletedAt: nullable(time("when it was deleted; null while it lives")),
  deletedBy: nullable(personShape("who deleted it; null while it lives")),
  purgeAt: nullable(time("until when it can be restored; null while it lives")),
});

/** A secret as commands print it. */
export type SecretView = ValueOf<typeof secretShape>;

/** Secrets as the server returns them, in the form that commands print. */
export async function secretViews(
  client: NameSource,
  secrets: readonly Secret[],
): Promise<SecretView[]> {
  const ids = secrets.flatMap((secret) => [
    secret.projectId,
    secret.createdBy,
    secret.updatedBy,
    secret.deletedBy,
  ]);
  const names = await namesOf(client, ids);
  return secrets.map((secret) => viewOf(secret, names));
}

/** The same of one secret. */
export async function secretView(client: NameSource, secret: Secret): Promise<SecretView> {
  const { projectId, createdBy, updatedBy, deletedBy } = secret;
  return viewOf(secret, await namesOf(client, [projectId, createdBy, updatedBy, deletedBy]));
}

function viewOf(secret: Secret, names: Names): SecretView {
  const { secretId, name, projectId, fieldNames, note } = secret;
  return {
    secretId,
    name,
    project: names.get(projectId) ?? projectId,
    projectId,
    version: secret.currentVersion,
    rollbackOf: secret.rollbackOf || null,
    kind: enumName(ValueKindSchema, secret.kind).toLowerCase(),
    fields: fieldNames,
    note,
    createdAt: momentOf(secret.createdAt),
    createdBy: person(secret.createdBy, names),
    updatedAt: momentOf(secret.updatedAt),
    updatedBy: person(secret.updatedBy, names),
    deletedAt: momentOf(secret.deletedAt),
    deletedBy: person(secret.deletedBy, names),
    purgeAt: momentOf(secret.purgeAt),
  };
}
