import {
  type ForwardContext,
  type ForwardMethods,
  forwardMethods,
  pageLimit,
  pageOf,
  callerOf,
  recordOf,
} from "@sallyport/forward";
import type { Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { fail, failureOf } from "@sallyport/rpc";
import { cursorOfToken, tokenOfCursor } from "../page-cursor.ts";
import {
  type ProjectKeyword,
  type StoredProject,
  addProject,
  findProject,
  listProjects,
} from "../store/projects.ts";
import { scopeOf, shownProject } from "./views.ts";
import { nameTaken, orNameTaken } from "./name-conflicts.ts";
import { deleteProject, restoreProject } from "./project-changes.ts";
import type { PublicParts } from "./records.ts";
import { hiddenProjectIds, requireRole } from "./rights.ts";

const firstGeneration = 1;

/** ProjectService. Everything outside the caller's vault is not found. */
export function projectMethods(parts: PublicParts): ForwardMethods {
  return forwardMethods(ProjectService, {
    createProject: async (context, { name }) => {
      const project = await context.mutate((tx) => createProject(tx, context, name, parts));
      return { project: shownProject(project) };
    },
    deleteProject: async (context, request) => {
      const project = await context.mutate((tx) => deleteProject(tx, context, request, parts));
      return { project: shownProject(project) };
    },
    restoreProject: async (context, { projectId }) => {
      const project = await context.mutate((tx) => restoreProject(tx, context, projectId, parts));
      await parts.liveness.settle({ vaultId: callerOf(context).vaultId, id: projectId });
      return { project: shownProject(project) };
    },
    getProject: async (context, { key, ...request }) => {
      const keyword: ProjectKeyword =
        key.case === "name"
          ? { by: "name", value: key.value }
          : { by: "project_id", value: key.value ?? "" };
      const { vaultId } = callerOf(context);
      const project = await findProject(parts.database, vaultId, keyword, scopeOf(request));
      // A name is known here alone; what is found, and what is not, is asked about.
      const projectId =
        project?.projectId ?? (keyword.by === "name" ? newId("prj") : keyword.value);
      await requireRole(context, parts, { projectId }, "project");
      if (!project) throw fail(Reason.NOT_FOUND, { field: "project" });
      return { project: shownProject(project) };
    },
    listProjects: async (context, { pageSize, pageToken, ...request }) => {
      const found = {
        after: cursorOfToken(pageToken),
        limit: pageLimit(pageSize) + 1,
        scope: scopeOf(request),
        without: await hiddenProjectIds(context, parts),
      };
      const page = pageOf(
        await listProjects(parts.database, callerOf(context).vaultId, found),
        pageSize,
      );
      return {
        projects: page.items.map(shownProject),
        nextPageToken: page.last
          ? tokenOfCursor({ name: page.last.name, id: page.last.projectId })
          : "",
      };
    },
  });
}

// Inside the transaction that noted the request: a replay has been refused before a key is made or
// an id registered. What fails after the registration leaves policy an id that nothing will ever
// bear.
async function createProject(
  tx: Tx,
  context: ForwardContext,
  name: string,
  { outbox, peers, clock }: PublicParts,
): Promise<StoredProject> {
  const { userId, vaultId } = callerOf(context);
  if (await findProject(tx, vaultId, { by: "name", value: name })) throw nameTaken();
  const projectId = newId("prj");
  const named = { vaultId, projectId, generation: firstGeneration };
  const { projectKey } = await peers.seal.newProjectKey(named).catch(rethrow);
  await peers.directory.registerResources({ vaultId, projectIds: [projectId] }).catch(rethrow);
  const createdAt = new Date(clock());
  const project = { projectId, vaultId, name, createdAt, createdBy: userId };
  await orNameTaken(() =>
    addProject(tx, project, { generation: firstGeneration, wrappedKey: projectKey }),
  );
  const record = { ...recordOf(context, createdAt), projectId, detail: { name } };
  await outbox.record(tx, newEvent("secrets", "project.created", record));
  return { ...project, secrets: 0, deletion: undefined };
}

function rethrow(error: unknown): never {
  throw failureOf(error);
}
