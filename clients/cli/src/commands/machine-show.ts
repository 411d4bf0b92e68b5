import type { Sallyport } from "@sallyport/client";
import { defineCommand } from "../definition/define.ts";
import { required } from "../definition/options.ts";
import { integer, listOf, nullable, object, text, time } from "../definition/shape.ts";
import { findMachine } from "../find/lookup.ts";
import { namesOf } from "../find/names.ts";
import { everyPage } from "../find/pages.ts";
import { durationText, momentText, relativeTime } from "../terminal/time.ts";
import { iso } from "../views/timestamp.ts";
import { machineKeys, plainMachine } from "../views/machine.ts";
import { person, personShape, personText } from "../views/person.ts";

/** `sallyport machine show MACHINE`: everything about a machine. */
export const machineShow = defineCommand({
  description:
    'A name of several machines is refused, unless only one of them has not ended. "sallyport ' +
    'machine access" lists what it can read.',
  args: { machine: required("the machine's name or id", { complete: "machines" }) },
  options: {},
  examples: [
    ["sallyport machine show runner-1", "by name"],
    ["sallyport machine show mch_0123456789abcdefghjk --json", "by id, for a program"],
  ],
  json: object({
    ...machineKeys,
    projects: listOf(
      object({
        projectId: text("the project's id"),
        name: nullable(text("its name; null where it may not be seen")),
        joinedAt: time("when the machine joined"),
      }),
      "the projects that it is a member of",
    ),
    secrets: integer("how many secrets it was granted"),
    formerNames: listOf(
      object({
        name: text("the name"),
        until: time("when it was changed"),
        changedBy: nullable(personShape("who changed it")),
      }),
      "the names that it had before, newest first, 20 at most",
    ),
  }),
  run: ({ args, context }) => context.session.asUser((client) => describe(client, args.machine)),
  show(machine, screen) {
    const { keyCreatedAt, projects, formerNames } = machine;
    const age = (Date.now() - Date.parse(keyCreatedAt ?? machine.createdAt)) / 1000;
    screen.facts([
      ["name", machine.name],
      ["state", machine.state],
      ["id", machine.machineId],
      ["host", machine.hostname || "-"],
      ["token", machine.tokenId ?? "-"],
      ["enrolled", momentText(machine.createdAt)],
      ["expires", momentText(machine.expiresAt)],
      ["key", `${durationText(Math.max(0, Math.round(age)))} old`],
      ["last seen", momentText(machine.lastSeenAt)],
      ["from", machine.lastSourceIp || "-"],
      ["client", machine.client || "-"],
      ["projects", projects.map(({ name, projectId }) => name ?? projectId).join(", ") || "none"],
      ["secrets", `${machine.secrets} granted`],
    ]);
    for (const { name, until, changedBy } of formerNames)
      screen.line(
        `was called ${name} until ${relativeTime(until)}, changed by ${personText(changedBy)}`,
      );
  },
});

async function describe(client: Sallyport, key: string) {
  const machine = await findMachine(client, key);
  const { machineId } = machine;
  const [{ counts }, memberships] = await Promise.all([
    client.services.grants.countGrants({ machineIds: [machineId] }),
    everyPage(async (pageToken) => {
      const query = { machineId, pageSize: 1000, pageToken };
      const page = await client.services.memberships.listMembershipsByMachine(query);
      return { items: page.memberships, nextPageToken: page.nextPageToken };
    }),
  ]);
  const { formerNames } = machine;
  const ids = [
    ...memberships.map(({ projectId }) => projectId),
    ...formerNames.map(({ changedBy }) => changedBy),
  ];
  const names = await namesOf(client, ids);
  return {
    ...plainMachine(machine),
    projects: memberships.map(({ projectId, createdAt }) => ({
      projectId,
      name: names.get(projectId) ?? null,
      joinedAt: iso(createdAt),
    })),
    secrets: counts.find((count) => count.machineId === machineId)?.secrets ?? 0,
    formerNames: formerNames.map(({ name, until, changedBy }) => ({
      name,
      until: iso(until),
      changedBy: person(changedBy, names),
    })),
  };
}
