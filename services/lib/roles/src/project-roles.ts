import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  ProjectRole,
  ProjectRoleSchema,
} from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { fail } from "@sallyport/rpc";
import { access } from "./access.ts";

/**
 * The role of a user in a project of the vault: owners and admins manage and auditors list all of
 * them, whatever they were given; a developer has the role that was given, and lists the project
 * without one.
 */
export function projectRoleOf(role: Role, given: ProjectRole | undefined): ProjectRole {
  if (role === Role.OWNER || role === Role.ADMIN) return ProjectRole.MANAGER;
  if (role === Role.AUDITOR) return ProjectRole.LISTER;
  return role === Role.DEVELOPER ? (given ?? ProjectRole.LISTER) : ProjectRole.NONE;
}

/** The judgement of the signer's project roles while one request is answered. */
export type Judgement = {
  readonly judge: (inProjects: readonly ProjectRole[]) => boolean[];
  /** Throws unless roles were judged, where they count. */
  readonly demand: () => void;
};

/**
 * Makes the judgement of one request. Security: an owner that forgets to ask for the project role
 * is found out before its transaction is committed and before its answer leaves, whichever method
 * it is.
 */
export function createJudgement(path: string, role: Role = Role.UNSPECIFIED): Judgement {
  let judged = access.get(path)?.project === undefined;
  return {
    judge(inProjects) {
      judged = true;
      return judgeRoles(path, role, inProjects);
    },
    demand() {
      if (!judged) throw new Error(`${path} did not ask for a project role`);
    },
  };
}

/**
 * Tells of each role that the caller has in a project whether the method may show that the project
 * is there; throws Failure PROJECT_ROLE_REQUIRED when one that is shown is too little for the
 * method.
 */
function judgeRoles(path: string, role: Role, inProjects: readonly ProjectRole[]): boolean[] {
  const allowed = access.get(path);
  // Security: a method that asks for no project role must not be mistaken for one that every role
  // suffices for.
  if (allowed?.project === undefined) throw new Error(`${path} concerns no project`);
  const needed = allowed.roles.includes(role) ? ProjectRole.LISTER : allowed.project;
  const shown = inProjects.map((inProject) => inProject >= ProjectRole.LISTER);
  if (inProjects.some((inProject, index) => shown[index] && inProject < needed))
    throw fail(Reason.PROJECT_ROLE_REQUIRED, { project_role: projectRoleName(needed) });
  return shown;
}

/** A project role as records, refusals and people name it, such as "writer". */
export function projectRoleName(role: ProjectRole): string {
  return enumName(ProjectRoleSchema, role).toLowerCase();
}
