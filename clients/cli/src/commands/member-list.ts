import type { Membership } from "@sallyport/proto/gen/sallyport/policy/v1/membership_pb.ts";
import type { Sallyport } from "@sallyport/client";
import { defineCommand } from "../definition/define.ts";
import { text } from "../definition/options.ts";
import { listOf } from "../definition/shape.ts";
import { UsageError } from "../app/failure.ts";
import { findMachine, findProject } from "../find/lookup.ts";
import { everyPage } from "../find/pages.ts";
import { relativeTime } from "../terminal/time.ts";
import { type MembershipView, membershipShape, membershipViews } from "../views/membership.ts";

/** `sallyport member list`: the machines of a project, or the projects of a machine. */
export const memberList = defineCommand({
  args: {},
  options: {
    project: text("the machines of this project, by name or id", {
      value: "project",
      complete: "projects",
    }),
    machine: text("the projects of this machine, by name or id", {
      value: "machine",
      complete: "machines",
    }),
  },
  examples: [
    ["sallyport member list --project web", "which machines are in a project"],
    ["sallyport member list --machine runner-1", "which projects a machine is in"],
  ],
  json: listOf(membershipShape),
  run: ({ options: { project, machine }, context }) =>
    context.session.asUser(async (client) => {
      if (project !== undefined && machine === undefined)
        return sorted(await membershipViews(client, await ofProject(client, project)));
      if (machine !== undefined && project === undefined)
        return sorted(await membershipViews(client, await ofMachine(client, machine)));
      throw new UsageError("of a project or of a machine?", "give one of --project and --machine");
    }),
  show(members, screen, { options: { project, machine } }) {
    const columns =
      project === undefined
        ? [
            { title: "PROJECT", cell: (member: MembershipView) => member.project, min: 12 },
            { title: "JOINED", cell: ({ createdAt }: MembershipView) => relativeTime(createdAt) },
            {
              title: "ID",
              cell: ({ projectId }: MembershipView) => projectId,
              style: () => "dim" as const,
            },
          ]
        : [
            { title: "MACHINE", cell: (member: MembershipView) => member.machine, min: 12 },
            { title: "STATE", cell: ({ state }: MembershipView) => state },
            { title: "JOINED", cell: ({ createdAt }: MembershipView) => relativeTime(createdAt) },
            {
              title: "ID",
              cell: ({ machineId }: MembershipView) => machineId,
              style: () => "dim" as const,
            },
          ];
    const none =
      project === undefined ? `${machine ?? ""} is in no project.` : `No machine is in ${project}.`;
    screen.table(columns, members, none);
  },
});

async function ofProject(client: Sallyport, project: string): Promise<Membership[]> {
  const { projectId } = await findProject(client, project);
  return everyPage(async (pageToken) => {
    const page = await client.services.memberships.listMemberships({
      projectId,
      pageSize: 1000,
      pageToken,
    });
    return { items: page.memberships, nextPageToken: page.nextPageToken };
  });
}

async function ofMachine(client: Sallyport, machine: string): Promise<Membership[]> {
  const { machineId } = await findMachine(client, machine);
  const { memberships } = client.services;
  return everyPage(async (pageToken) => {
    const page = await memberships.listMembershipsByMachine({
      machineId,
      pageSize: 1000,
      pageToken,
    });
    return { items: page.memberships, nextPageToken: page.nextPageToken };
  });
}

function sorted(members: readonly MembershipView[]): MembershipView[] {
  const key = ({ project, machine }: MembershipView): string => `${project}\n${machine}`;
  return members.toSorted((a, b) => (key(a) < key(b) ? -1 : Number(key(a) > key(b))));
}
