import { methodPath } from "@sallyport/proto/names/method-path";
import type { DescService } from "@bufbuild/protobuf";
import { AuditService } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { MachineService } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { VaultService } from "@sallyport/proto/gen/sallyport/identity/v1/vault_pb.ts";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { MembershipService } from "@sallyport/proto/gen/sallyport/policy/v1/membership_pb.ts";
import { ProjectRoleService } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { SealingService } from "@sallyport/proto/gen/sallyport/policy/v1/sealing_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import type { AnswerOwner } from "@sallyport/proto/signing";

/** The service that answers a forwarded method. */
export type Owner = AnswerOwner;

/** The owner of each public service. A service that is not listed here cannot be reached. */
export const forwarded: readonly { readonly service: DescService; readonly owner: Owner }[] = [
  { service: EnrollmentService, owner: "identity" },
  { service: MachineService, owner: "identity" },
  { service: UserService, owner: "identity" },
  { service: VaultService, owner: "identity" },
  { service: GrantService, owner: "policy" },
  { service: MembershipService, owner: "policy" },
  { service: ProjectRoleService, owner: "policy" },
  { service: SealingService, owner: "policy" },
  { service: ProjectService, owner: "secrets" },
  { service: SecretService, owner: "secrets" },
  { service: AuditService, owner: "audit" },
];

/** The method of ReadService that is forwarded: which secrets there are is for secrets to say. */
export const forwardedRead = {
  method: ReadService.method.listReadableSecrets,
  owner: "secrets",
} as const;

/**
 * The methods that a key may call before it is enrolled: two, and the one that verifies their
 * answers.
 */
export const newKeyPaths: ReadonlySet<string> = new Set([
  methodPath(EnrollmentService.method.enroll),
  methodPath(UserService.method.redeemLoginCode),
  methodPath(ReadService.method.getKeyset),
]);
