import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";

/** A role as the database names it. */
export type StoredRole = "owner" | "admin" | "developer" | "auditor";

const roles: Readonly<Record<StoredRole, Role>> = {
  owner: Role.OWNER,
  admin: Role.ADMIN,
  developer: Role.DEVELOPER,
  auditor: Role.AUDITOR,
};

/** The contract's role for a stored one. */
export function roleOf(stored: StoredRole): Role {
  return roles[stored];
}
