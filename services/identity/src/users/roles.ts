import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";

/** A role as the database names it. */
export type StoredRole = "owner" | "admin" | "developer" | "auditor";

const roles: Readonly<Record<StoredRole, Role>> = {
  owner: Role.OWNER,
  admin: Role.ADMIN,
  developer: Role.DEVELOPER,
  auditor: Role.AUDITOR,
};

const storedRoles: ReadonlyMap<Role, StoredRole> = new Map([
  [Role.OWNER, "owner"],
  [Role.ADMIN, "admin"],
  [Role.DEVELOPER, "developer"],
  [Role.AUDITOR, "auditor"],
]);

/** The stored role for one of the contract. Throws for one that no user has. */
export function storedRoleOf(role: Role): StoredRole {
  const stored = storedRoles.get(role);
  if (stored === undefined) throw new Error(`no user has role ${role}`);
  return stored;
}

/** The contract's role for a stored one. */
export function roleOf(stored: StoredRole): Role {
  return roles[stored];
}
