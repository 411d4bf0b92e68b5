import { randomBytes } from "node:crypto";
import { type Identity, formatToken, login, newTokenSecret } from "@sallyport/client";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import {
  ProjectRole,
  ProjectRoleService,
} from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { describe, expect, test } from "vitest";
import { type Field, lifetime } from "../field.ts";
import { type Signed, signAs } from "../../system/signed.ts";
import type { Stage } from "./stage.ts";

type Change = {
  readonly name: string;
  readonly owner: "identity" | "policy" | "secrets";
  readonly action: string;
  /** The role in the project that it needs. */
  readonly needs: ProjectRole;
  readonly sign: (developer: Identity, field: Field) => Signed;
};

const { WRITER, MANAGER } = ProjectRole;

/** A change of each owner that developers may make where they have a role for it. */
const changes: readonly Change[] = [
  {
    name: "secrets: a note",
    owner: "secrets",
    action: "secret.updated",
    needs: WRITER,
    sign: (developer, { ids }) => {
      const note = randomBytes(6).toString("hex");
      const request = { secretId: ids["DB_URL"] ?? "", note };
      return signAs(developer, SecretService.method.updateSecret, request);
    },
  },
  {
    name: "policy: a role for another user",
    owner: "policy",
    action: "project_role.set",
    needs: MANAGER,
    sign: (developer, { projectId, owner }) => {
      const request = { userId: owner.principalId, projectId, role: ProjectRole.LISTER };
      return signAs(developer, ProjectRoleService.method.setProjectRole, request);
    },
  },
  {
    name: "identity: an enrollment token",
    owner: "identity",
    action: "token.created",
    needs: MANAGER,
    sign: (developer, { projectId }) =>
      signAs(developer, EnrollmentService.method.createToken, {
        tokenKeySha256: newTokenSecret().publicKeySha256,
        projectIds: [projectId],
        tokenLifetime: lifetime,
        machineLifetime: lifetime,
        maxUses: 1,
      }),
  },
];

async function newDeveloper({ admin, deployment, owner }: Field): Promise<Identity> {
  const { seed, publicKeySha256 } = newTokenSecret();
  const code = { codeKeySha256: publicKeySha256, role: Role.DEVELOPER, lifetime };
  const { loginCode } = await admin.services.users.createLoginCode(code);
  const { vaultId, rootFingerprint } = owner;
  const text = formatToken("login", {
    id: loginCode?.codeId ?? "",
    vaultId,
    rootFingerprint,
    seed,
  });
  return login(deployment.endpoint, text, randomBytes(6).toString("hex"));
}

/**
 * The attacks that pass by the front door: each owner asks policy itself what a user may do in a
 * project.
 */
export function describeRights(stage: () => Stage): void {
  describe.each(changes)(
    "a developer's true signature without the project role, $name",
    (change) => {
      const { owner, action, needs, sign } = change;

      test("is refused by the owner itself, before and after the role", async () => {
        const { field, cheat } = stage();
        const { projectRoles } = field.admin.services;
        const developer = await newDeveloper(field);
        const { principalId: userId } = developer;
        const { projectId } = field;
        const show = async (signed = sign(developer, field)) =>
          (await cheat.forward(owner, signed)).verdict;
        const begin = await field.ledger.end();
        expect(await show()).toBe("PROJECT_ROLE_REQUIRED");
        await projectRoles.setProjectRole({ userId, projectId, role: ProjectRole.NONE });
        expect(await show()).toMatch(/^NOT_FOUND/);
        const before = await field.ledger.since(begin, action);
        // What was signed while it was allowed, and kept back until it is not, is refused as well.
        await projectRoles.setProjectRole({ userId, projectId, role: needs });
        const kept = sign(developer, field);
        await projectRoles.removeProjectRole({ userId, projectId });
        expect(await show(kept)).toBe("PROJECT_ROLE_REQUIRED");
        await projectRoles.setProjectRole({ userId, projectId, role: needs });
        const granted = (await field.ledger.since(begin, action)).length;
        expect(await show()).toBe("answered");
        expect(await field.ledger.since(begin, action)).toHaveLength(granted + 1);
        if (action !== "project_role.set") expect(before).toEqual([]);
      });
    },
  );

  test("the kept credential of a user who was removed changes nothing in any project", async () => {
    const { field, cheat } = stage();
    const { services } = field.admin;
    const developer = await newDeveloper(field);
    const { principalId: userId, keyId } = developer;
    const { projectId, ids, neighbour } = field;
    await services.projectRoles.setProjectRole({ userId, projectId, role: MANAGER });
    const credential = await cheat.credentialOf(keyId);
    await services.users.removeUser({ userId });
    const secretId = ids["DB_URL"] ?? "";
    const grant = { machineId: neighbour.principalId, secretId };
    const tried = [
      ["secrets", signAs(developer, SecretService.method.updateSecret, { secretId, note: "x" })],
      ["secrets", signAs(developer, SecretService.method.listSecrets, { projectId })],
      ["secrets", signAs(developer, ProjectService.method.listProjects, {})],
      ["policy", signAs(developer, GrantService.method.addGrant, grant)],
    ] as const;
    for (const [owner, signed] of tried)
      expect((await cheat.forward(owner, signed, credential)).verdict).toBe("MACHINE_DISABLED");
  });
}
