import { type Client, createClient } from "@connectrpc/connect";
import { AuditService } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { MachineService } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { VaultService } from "@sallyport/proto/gen/sallyport/identity/v1/vault_pb.ts";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { MembershipService } from "@sallyport/proto/gen/sallyport/policy/v1/membership_pb.ts";
import { ProjectRoleService } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { SealingService } from "@sallyport/proto/gen/sallyport/policy/v1/sealing_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { type Secret, SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { newSecretId } from "@sallyport/proto/signing";
import { guarded } from "./errors.ts";
import { type Reader, readerOver } from "./reader.ts";
import { sealValue } from "./seal.ts";
import { sendSealed } from "./send-sealed.ts";
import type { Connection } from "./transport.ts";

/** A client that acts as one principal. Every method throws a SallyportError. */
export type Sallyport = Reader & {
  /** Makes a secret with its first value, sealed before it is sent. */
  createSecret(secret: NewSecret): Promise<Secret>;
  /** Stores a new value if `expectedVersion` is still the current one. */
  addVersion(version: NewVersion): Promise<Secret>;
  /** The public services as generated clients over the same signed transport. */
  readonly services: Services;
};

/**
 * A secret to make. `projectName` is the project's name as the user gave it: the value is sealed
 * for it, so that it cannot be opened for another project if the gateway returned a false id.
 */
export type NewSecret = {
  readonly projectId: string;
  readonly projectName: string;
  readonly name: string;
  readonly plaintext: Uint8Array;
  readonly kind?: ValueKind;
  readonly allowDangerousName?: boolean;
  /** For display; it is not sealed. */
  readonly note?: string;
};

/**
 * A value to store in a secret that exists; both names are as the user gave them (see NewSecret).
 */
export type NewVersion = {
  readonly secretId: string;
  readonly name: string;
  readonly projectId: string;
  readonly projectName: string;
  readonly expectedVersion: number;
  readonly plaintext: Uint8Array;
  readonly kind?: ValueKind;
};

/** Generated clients of the public services. */
export type Services = {
  readonly enrollment: Client<typeof EnrollmentService>;
  readonly machines: Client<typeof MachineService>;
  readonly users: Client<typeof UserService>;
  readonly vaults: Client<typeof VaultService>;
  readonly grants: Client<typeof GrantService>;
  readonly memberships: Client<typeof MembershipService>;
  readonly projectRoles: Client<typeof ProjectRoleService>;
  readonly sealing: Client<typeof SealingService>;
  readonly projects: Client<typeof ProjectService>;
  readonly secrets: Client<typeof SecretService>;
  readonly audit: Client<typeof AuditService>;
};

/** Makes the full client of a principal, over its signed transport. */
export function sallyportOver(
  connection: Connection,
  { vaultId, principalId }: { readonly vaultId: string; readonly principalId: string },
): Sallyport {
  const { transport, keeper } = connection;
  const secrets = createClient(SecretService, transport);
  return {
    ...readerOver(connection),
    createSecret: guarded(
      async ({
        projectId,
        projectName,
        name,
        plaintext,
        kind = ValueKind.SINGLE,
        allowDangerousName = false,
        note = "",
      }: NewSecret) => {
        const { secretId, idNonce } = newSecretId(vaultId);
        const target = {
          vaultId,
          projectId,
          secretId,
          expectedVersion: 0,
          principalId,
          projectName,
          secretName: name,
        };
        const rest = { secretId, idNonce, projectId, name, allowDangerousName, note };
        const { secret } = await sendSealed(
          keeper,
          (keys) => sealValue(plaintext, kind, target, keys),
          (value) => secrets.createSecret({ ...rest, value }),
        );
        return stored(secret);
      },
    ),
    addVersion: guarded(
      async ({
        secretId,
        name,
        projectId,
        projectName,
        expectedVersion,
        plaintext,
        kind = ValueKind.SINGLE,
      }: NewVersion) => {
        const target = {
          vaultId,
          projectId,
          secretId,
          expectedVersion,
          principalId,
          projectName,
          secretName: name,
        };
        const { secret } = await sendSealed(
          keeper,
          (keys) => sealValue(plaintext, kind, target, keys),
          (value) => secrets.addVersion({ secretId, projectId, expectedVersion, value }),
        );
        return stored(secret);
      },
    ),
    services: {
      enrollment: createClient(EnrollmentService, transport),
      machines: createClient(MachineService, transport),
      users: createClient(UserService, transport),
      vaults: createClient(VaultService, transport),
      grants: createClient(GrantService, transport),
      memberships: createClient(MembershipService, transport),
      projectRoles: createClient(ProjectRoleService, transport),
      sealing: createClient(SealingService, transport),
      projects: createClient(ProjectService, transport),
      secrets,
      audit: createClient(AuditService, transport),
    },
  };
}

function stored(secret: Secret | undefined): Secret {
  if (!secret) throw new Error("the server described no secret");
  return secret;
}
