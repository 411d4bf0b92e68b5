import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ProjectRole } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { failureOf } from "@sallyport/rpc";
import { type SigningUser, newUser } from "@sallyport/test/infra";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { resetPeers, roleKey } from "../testing/memory-peers.ts";
import {
  type TestSecrets,
  addTestProject,
  addTestSecret,
  addTestVersion,
  deleteTestSecret,
  newDeveloper,
  newSecretRequest,
  sealedValue,
  startTestSecrets,
} from "../testing/secrets.ts";

const { NONE, LISTER, WRITER, MANAGER } = ProjectRole;
const { method: projects } = ProjectService;
const { method: secretMethods } = SecretService;

let secrets: TestSecrets;
let owner: SigningUser;
let developer: SigningUser;
let place: Place;

/** What a request names, with names that are as long wherever they are. */
type Place = {
  readonly projectId: string;
  readonly projectName: string;
  readonly secretId: string;
  readonly deletedId: string;
  readonly emptyId: string;
  readonly emptyName: string;
};

beforeAll(async () => {
  secrets = await startTestSecrets();
  return () => secrets[Symbol.asyncDispose]();
});

beforeEach(async () => {
  resetPeers(secrets.memory);
  owner = newUser();
  const projectId = await addTestProject(secrets, owner, "web");
  const emptyId = await addTestProject(secrets, owner, "old");
  const secretId = await addTestSecret(secrets, owner, projectId, "DB_URL");
  const deletedId = await addTestSecret(secrets, owner, projectId, "GONE");
  await deleteTestSecret(secrets, owner, deletedId);
  await addTestVersion(secrets, owner, { projectId, secretId, expectedVersion: 1 });
  developer = newDeveloper(secrets, owner.vaultId, projectId, NONE);
  place = { projectId, projectName: "web", secretId, deletedId, emptyId, emptyName: "old" };
  give(NONE);
});

const give = (role: ProjectRole): void => {
  for (const projectId of [place.projectId, place.emptyId])
    secrets.memory.roles.set(roleKey(developer.userId, projectId), role);
};
const nowhere = (): Place => ({
  ...place,
  projectId: newId("prj"),
  projectName: "bew",
  secretId: newId("sec"),
  deletedId: newId("sec"),
  emptyId: newId("prj"),
});

type Ask = (by: SigningUser, place: Place) => Promise<unknown>;
const named = (value: string) => ({ case: "name", value }) as const;
const id = (value: string) => ({ case: "projectId", value }) as const;

const methods: readonly {
  readonly name: string;
  readonly needs: ProjectRole;
  readonly ask: Ask;
}[] = [
  {
    name: "GetProject by id",
    needs: LISTER,
    ask: (by, { projectId }) => secrets.call(by, projects.getProject, { key: id(projectId) }),
  },
  {
    name: "GetProject by name",
    needs: LISTER,
    ask: (by, { projectName }) =>
      secrets.call(by, projects.getProject, { key: named(projectName) }),
  },
  {
    name: "DeleteProject",
    needs: MANAGER,
    ask: (by, { emptyId, emptyName }) =>
      secrets.call(by, projects.deleteProject, { projectId: emptyId, name: emptyName }),
  },
  {
    name: "RestoreProject",
    needs: MANAGER,
    ask: (by, { emptyId }) => secrets.call(by, projects.restoreProject, { projectId: emptyId }),
  },
  {
    name: "ListSecrets",
    needs: LISTER,
    ask: (by, { projectId }) => secrets.call(by, secretMethods.listSecrets, { projectId }),
  },
  {
    name: "GetSecret by id",
    needs: LISTER,
    ask: (by, { secretId }) => secrets.call(by, secretMethods.getSecret, { secretId }),
  },
  {
    name: "GetSecret by name",
    needs: LISTER,
    ask: (by, { projectId }) =>
      secrets.call(by, secretMethods.getSecret, { projectId, name: "DB_URL" }),
  },
  {
    name: "ListVersions",
    needs: LISTER,
    ask: (by, { secretId }) => secrets.call(by, secretMethods.listVersions, { secretId }),
  },
  {
    name: "CreateSecret",
    needs: WRITER,
    ask: (by, { projectId }) => {
      const name = `S_${newId("sec").slice(4)}`;
      return secrets.call(by, secretMethods.createSecret, newSecretRequest(by, projectId, name));
    },
  },
  {
    name: "RollbackSecret",
    needs: WRITER,
    ask: async (by, { secretId, projectId }) => {
      const { secret } = await secrets.call(owner, secretMethods.getSecret, {
        secretId: place.secretId,
      });
      const expectedVersion = Math.max(2, secret?.currentVersion ?? 0);
      const rollback = { secretId, projectId, expectedVersion, toVersion: 1 };
      return secrets.call(by, secretMethods.rollbackSecret, rollback);
    },
  },
  {
    name: "AddVersion",
    needs: WRITER,
    ask: (by, { secretId, projectId }) =>
      secrets.call(by, secretMethods.addVersion, {
        secretId,
        projectId,
        expectedVersion: 2,
        value: sealedValue(),
      }),
  },
  {
    name: "UpdateSecret",
    needs: WRITER,
    ask: (by, { secretId }) =>
      secrets.call(by, secretMethods.updateSecret, { secretId, note: "x" }),
  },
  {
    name: "DeleteSecret",
    needs: WRITER,
    ask: (by, { secretId }) => secrets.call(by, secretMethods.deleteSecret, { secretId }),
  },
  {
    name: "RestoreSecret",
    needs: WRITER,
    ask: (by, { deletedId }) =>
      secrets.call(by, secretMethods.restoreSecret, { secretId: deletedId }),
  },
];

async function told(ask: Ask, at: Place = place, by = developer): Promise<string> {
  return ask(by, at).then(
    () => "done",
    (error: unknown) => {
      const { reason, metadata } = failureOf(error);
      return JSON.stringify({ reason, metadata });
    },
  );
}

/** Everything that is stored, and what other processes were asked to do. */
async function state(): Promise<string> {
  const sql = "select t::text as row from secrets t union all select t::text from projects t";
  const rows = await secrets.database.query<{ row: string }>(sql);
  const { events, sealed, told: toPolicy } = secrets.memory;
  return JSON.stringify([
    rows.map(({ row }) => row).toSorted(),
    events.length,
    sealed.length,
    toPolicy,
  ]);
}

const texts: ReadonlyMap<ProjectRole, string> = new Map([
  [WRITER, "writer"],
  [MANAGER, "manager"],
]);

describe.each(methods)("$name", ({ needs, ask }) => {
  test("is done from its role on, and below it changes nothing anywhere", async () => {
    const before = await state();
    const hidden = await told(ask);
    expect(hidden).toBe(await told(ask, nowhere()));
    expect(hidden).toContain(`"reason":${Reason.NOT_FOUND}`);
    for (const role of [LISTER, WRITER, MANAGER].filter((one) => one < needs)) {
      give(role);
      const metadata = { project_role: texts.get(needs) };
      expect(await told(ask)).toBe(
        JSON.stringify({ reason: Reason.PROJECT_ROLE_REQUIRED, metadata }),
      );
    }
    expect(await state()).toBe(before);
    give(needs);
    expect(await told(ask)).toBe("done");
  });

  test("without a role of its own a developer lists, and no more", async () => {
    const bare = newUser(owner.vaultId, Role.DEVELOPER);
    const outcome = await told(ask, place, bare);
    if (needs === LISTER) expect(outcome).toBe("done");
    else expect(outcome).toContain(`"reason":${Reason.PROJECT_ROLE_REQUIRED}`);
  });

  test("is refused while policy cannot be asked, to an owner too", async () => {
    give(MANAGER);
    const before = await state();
    secrets.memory.down.policy = true;
    for (const by of [owner, developer])
      expect(await told(ask, place, by)).toContain(`"reason":${Reason.DEPENDENCY_UNAVAILABLE}`);
    expect(await state()).toBe(before);
  });
});

test("lists leave out what is hidden: no name, no page, no token tells of it", async () => {
  give(MANAGER);
  const { projectId, emptyId, secretId } = place;
  secrets.memory.roles.set(roleKey(developer.userId, projectId), NONE);
  const list = (by: SigningUser, pageToken = "") =>
    secrets.call(by, projects.listProjects, { pageSize: 1, pageToken, showDeleted: true });
  const page = await list(developer);
  expect(page.projects.map((project) => project.projectId)).toEqual([emptyId]);
  expect(page.nextPageToken).toBe("");
  expect((await list(owner)).nextPageToken).not.toBe("");
  const secretIds = [secretId, newId("sec")];
  const batch = (by: SigningUser) => secrets.call(by, secretMethods.batchGetSecrets, { secretIds });
  expect((await batch(developer)).secrets).toEqual([]);
  expect((await batch(owner)).secrets).toHaveLength(1);
});
