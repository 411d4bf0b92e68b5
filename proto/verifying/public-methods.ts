import type { DescMessage, DescService } from "@bufbuild/protobuf";
import { AuditService } from "../gen/sallyport/audit/v1/audit_pb.ts";
import { ReadService } from "../gen/sallyport/gateway/v1/read_pb.ts";
import { EnrollmentService } from "../gen/sallyport/identity/v1/enrollment_pb.ts";
import { MachineService } from "../gen/sallyport/identity/v1/machine_pb.ts";
import { UserService } from "../gen/sallyport/identity/v1/user_pb.ts";
import { VaultService } from "../gen/sallyport/identity/v1/vault_pb.ts";
import { GrantService } from "../gen/sallyport/policy/v1/grant_pb.ts";
import { MembershipService } from "../gen/sallyport/policy/v1/membership_pb.ts";
import { ProjectRoleService } from "../gen/sallyport/policy/v1/project_role_pb.ts";
import { SealingService } from "../gen/sallyport/policy/v1/sealing_pb.ts";
import { ProjectService } from "../gen/sallyport/secrets/v1/project_pb.ts";
import { SecretService } from "../gen/sallyport/secrets/v1/secret_pb.ts";

/** Every service that the public may call. */
export const publicServices: readonly DescService[] = [
  ReadService,
  EnrollmentService,
  MachineService,
  UserService,
  VaultService,
  GrantService,
  MembershipService,
  ProjectRoleService,
  SealingService,
  ProjectService,
  SecretService,
  AuditService,
];

/** Returns the request message of a path; undefined for a path that is no public method's. */
export function inputOf(path: string): DescMessage | undefined {
  const [, typeName, method] = path.split("/");
  const service = publicServices.find((each) => each.typeName === typeName);
  return service?.methods.find(({ name }) => name === method)?.input;
}
