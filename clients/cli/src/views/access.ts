import { ReasonSchema } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { Grant } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { type ValueOf, boolean, nullable, object, text, time } from "../definition/shape.ts";
import { type NameSource, type Names, namesOf } from "../find/names.ts";
import { momentOf } from "./moment.ts";
import { person, personShape } from "./person.ts";

/** The right of a machine to read a secret, as JSON. */
export const grantShape = object({
  machine: nullable(text("the machine's name; null where it may not be seen")),
  machineId: text("the machine's id"),
  secret: nullable(text("the secret's name")),
  secretId: text("the secret's id"),
  projectId: text("the secret's project"),
  anyVersion: boolean("whether older versions may be read too"),
  refusal: nullable(
    text("why a read would be refused now, such as `MACHINE_DISABLED`; null when it would not"),
  ),
  createdAt: nullable(time("when it was given")),
  createdBy: nullable(personShape("who gave it, or made the enrollment token that did")),
});

/** A grant as commands print it. */
export type GrantView = ValueOf<typeof grantShape>;

/** Grants as the server returns them, with the names of machines and secrets. */
export async function grantViews(
  client: NameSource,
  grants: readonly Grant[],
): Promise<GrantView[]> {
  const ids = grants.flatMap(({ machineId, secretId, createdBy }) => [
    machineId,
    secretId,
    createdBy,
  ]);
  const names = await namesOf(client, ids);
  const key = ({ machine, secret }: GrantView): string => `${machine ?? ""}\n${secret ?? ""}`;
  const views = grants.map((grant) => viewOf(grant, names));
  return views.toSorted((a, b) => (key(a) < key(b) ? -1 : Number(key(a) > key(b))));
}

function viewOf(grant: Grant, names: Names): GrantView {
  const { machineId, secretId, projectId, anyVersion, refusal } = grant;
  return {
    machine: names.get(machineId) ?? null,
    machineId,
    secret: names.get(secretId) ?? null,
    secretId,
    projectId,
    anyVersion,
    refusal: refusal ? enumName(ReasonSchema, refusal.reason) : null,
    createdAt: momentOf(grant.createdAt),
    createdBy: person(grant.createdBy, names),
  };
}
