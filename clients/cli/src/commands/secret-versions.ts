import { ValueKindSchema } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { defineCommand } from "../definition/define.ts";
import { integer, required } from "../definition/options.ts";
import { integer as whole, listOf, nullable, object, text, time } from "../definition/shape.ts";
import { locateSecret } from "../find/lookup.ts";
import { namesOf } from "../find/names.ts";
import { everyPage } from "../find/pages.ts";
import { relativeTime } from "../terminal/time.ts";
import { momentOf } from "../views/moment.ts";
import { person, personShape, personText } from "../views/person.ts";
import { ofProject } from "../views/secret-options.ts";

type Shown = { readonly rollbackOf: number | null };

/** `sallyport secret versions SECRET`: newest first, who stored each and when. */
export const secretVersions = defineCommand({
  args: { secret: required("name or id", { complete: "secrets" }) },
  options: {
    ...ofProject,
    limit: integer("the newest so many; all if not given", { min: 1, max: 1_000_000 }),
  },
  examples: [
    ["sallyport secret versions DB_URL", "who changed it and when"],
    ["sallyport secret versions DB_URL --limit 2 --json", "the last two, for programs"],
  ],
  json: listOf(
    object({
      version: whole("the version, counted from 1"),
      kind: text("`single` or `fields`"),
      fields: listOf(text("a field's name"), "the names of its fields; none for a single value"),
      createdAt: nullable(time("when it was stored")),
      createdBy: nullable(personShape("who stored it")),
      rollbackOf: nullable(whole("the version whose value it brought back; null when it was new")),
    }),
  ),
  run: ({ args, options: { project, limit }, context }) =>
    context.session.asUser(async (client) => {
      const { secretId } = await locateSecret(client, args.secret, project);
      const versions = await everyPage(async (pageToken) => {
        const page = await client.services.secrets.listVersions({
          secretId,
          pageSize: 1000,
          pageToken,
        });
        return { items: page.versions, nextPageToken: page.nextPageToken };
      }, limit);
      const names = await namesOf(
        client,
        versions.map(({ createdBy }) => createdBy),
      );
      return versions.map(({ version, kind, fieldNames, createdAt, createdBy, rollbackOf }) => ({
        version,
        kind: enumName(ValueKindSchema, kind).toLowerCase(),
        fields: fieldNames,
        createdAt: momentOf(createdAt),
        createdBy: person(createdBy, names),
        rollbackOf: rollbackOf || null,
      }));
    }),
  show(versions, screen) {
    screen.table(
      [
        { title: "VERSION", cell: ({ version }) => String(version), align: "right" },
        { title: "STORED", cell: ({ createdAt }) => relativeTime(createdAt) },
        { title: "BY", cell: ({ createdBy }) => personText(createdBy), min: 8 },
        ...(versions.some(({ rollbackOf }) => rollbackOf !== null)
          ? [{ title: "VALUE OF", cell: ({ rollbackOf }: Shown) => String(rollbackOf ?? "") }]
          : []),
        { title: "KIND", cell: ({ kind }) => kind },
        { title: "FIELDS", cell: ({ fields }) => fields.join(", "), min: 8 },
      ],
      versions,
      "There are no versions.",
    );
  },
});
