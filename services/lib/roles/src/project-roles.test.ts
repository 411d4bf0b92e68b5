import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ProjectRole } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { failureOf } from "@sallyport/rpc";
import { expect, test } from "vitest";
import { createJudgement, projectRoleOf } from "./project-roles.ts";

const { UNSPECIFIED, NONE, LISTER, WRITER, MANAGER } = ProjectRole;
const every = [NONE, LISTER, WRITER, MANAGER] as const;
const lists = "/sallyport.secrets.v1.SecretService/ListSecrets";
const writes = "/sallyport.secrets.v1.SecretService/AddVersion";
const manages = "/sallyport.policy.v1.GrantService/AddGrant";
const oversees = "/sallyport.policy.v1.MembershipService/ListMemberships";

test("only developers have what they were given; they list without it", () => {
  const roles = (role: Role) => [undefined, ...every].map((given) => projectRoleOf(role, given));
  expect(roles(Role.OWNER)).toEqual(Array.from({ length: 5 }, () => MANAGER));
  expect(roles(Role.ADMIN)).toEqual(roles(Role.OWNER));
  expect(roles(Role.AUDITOR)).toEqual(Array.from({ length: 5 }, () => LISTER));
  expect(roles(Role.DEVELOPER)).toEqual([LISTER, ...every]);
  expect(roles(Role.UNSPECIFIED)).toEqual(Array.from({ length: 5 }, () => NONE));
});

/** What is made of each role, one at a time: shown, hidden, or the role that is missing. */
function verdicts(path: string, role: Role): string[] {
  return [UNSPECIFIED, ...every].map((inProject) => {
    try {
      const [shown] = createJudgement(path, role).judge([inProject]);
      return shown ? "shown" : "hidden";
    } catch (error) {
      const { reason, metadata } = failureOf(error);
      expect(reason).toBe(Reason.PROJECT_ROLE_REQUIRED);
      return metadata["project_role"] ?? "";
    }
  });
}

test.each([
  [lists, Role.DEVELOPER, ["hidden", "hidden", "shown", "shown", "shown"]],
  [writes, Role.DEVELOPER, ["hidden", "hidden", "writer", "shown", "shown"]],
  [manages, Role.DEVELOPER, ["hidden", "hidden", "manager", "manager", "shown"]],
  [oversees, Role.DEVELOPER, ["hidden", "hidden", "manager", "manager", "shown"]],
  // The role in the vault is enough where it is named; it shows nothing that is not there.
  [oversees, Role.AUDITOR, ["hidden", "hidden", "shown", "shown", "shown"]],
  [manages, Role.ADMIN, ["hidden", "hidden", "shown", "shown", "shown"]],
])("%s as %i", (path, role, want) => {
  expect(verdicts(path, role)).toEqual(want);
});

test("of several, one that is too little refuses, and one that is hidden is told apart", () => {
  expect(createJudgement(writes, Role.DEVELOPER).judge([WRITER, NONE])).toEqual([true, false]);
  expect(() => createJudgement(writes, Role.DEVELOPER).judge([WRITER, LISTER])).toThrow();
  expect(createJudgement(writes, Role.DEVELOPER).judge([])).toEqual([]);
});

test("a method for which a project role counts demands that roles were judged", () => {
  const judgement = createJudgement(writes, Role.OWNER);
  expect(() => judgement.demand()).toThrow(/did not ask/);
  judgement.judge([MANAGER]);
  judgement.demand();
  createJudgement("/sallyport.identity.v1.UserService/WhoAmI", Role.OWNER).demand();
});

test("a method that concerns no project judges none", () => {
  const judgement = createJudgement("/sallyport.identity.v1.UserService/WhoAmI", Role.OWNER);
  expect(() => judgement.judge([MANAGER])).toThrow(/concerns no project/);
  expect(() =>
    createJudgement("/sallyport.Nowhere/Nothing", Role.OWNER).judge([MANAGER]),
  ).toThrow();
});
