import { Role, RoleSchema } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { enumName } from "@sallyport/proto/names";

/** The roles, as they are typed and shown. */
export const roles = ["owner", "admin", "developer", "auditor"] as const;

const numbers: Readonly<Record<(typeof roles)[number], Role>> = {
  owner: Role.OWNER,
  admin: Role.ADMIN,
  developer: Role.DEVELOPER,
  auditor: Role.AUDITOR,
};

/** The role that a word means. */
export function roleOf(word: (typeof roles)[number]): Role {
  return numbers[word];
}

/** The word for a role. */
export function roleWord(role: Role): string {
  return enumName(RoleSchema, role).toLowerCase();
}

/** A role with its article, as in "an admin". */
export function aRole(role: string): string {
  return `${/^[aeiou]/.test(role) ? "an" : "a"} ${role}`;
}
