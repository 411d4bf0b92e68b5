// Postgres takes no NUL in a text: whatever a client may send must be refused for it before it is looked up.
import { type DescField, type DescMessage, ScalarType, create } from "@bufbuild/protobuf";
import { pathToString, reflect } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
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
import { expect, test } from "vitest";
import { access } from "./access.ts";

const services = [
  AuditService,
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
];
/** Texts whose owner reads them before Postgres does: printable texts, patterns, page tokens, and a name that is compared. */
const readByOwner = new Set([
  "CreateTokenRequest.description",
  "CreateTokenRequest.hostname_pattern",
  "CreateTokenRequest.machine_name_pattern",
  "CreateVaultRequest.name",
  "DeleteProjectRequest.name",
  "DisableMachineRequest.reason",
  "EnrollRequest.hostname",
  "ListLoginCodesRequest.page_token",
  "ListMachinesRequest.page_token",
  "ListProjectsRequest.page_token",
  "ListRecordsRequest.page_token",
  "ListSecretsRequest.page_token",
  "ListTokensRequest.page_token",
  "ListUsersRequest.page_token",
  "ListVersionsRequest.page_token",
  "RemoveUserRequest.reason",
  "RevokeDeviceRequest.reason",
  "RevokeMachineRequest.reason",
  "RevokeTokenRequest.reason",
]);
const validator = createValidator();

function takesNul(schema: DescMessage, field: DescField): boolean {
  const message = reflect(schema, create(schema));
  if (field.fieldKind === "list") {
    message.get(field).add("a\0b");
  } else message.set(field, "a\0b");
  const { violations = [] } = validator.validate(schema, message.message);
  return !violations.some(({ field: path }) => pathToString(path).startsWith(field.name));
}

const isText = (field: DescField): boolean =>
  (field.fieldKind === "scalar" && field.scalar === ScalarType.STRING) ||
  (field.fieldKind === "list" && field.listKind === "scalar" && field.scalar === ScalarType.STRING);

test("all public services are looked at", () => {
  const named = new Set([...access.keys()].map((path) => path.split("/")[1]));
  expect(new Set(services.map(({ typeName }) => typeName))).toEqual(named);
});

test("the contract of every text of every public request takes no NUL, or its owner's code looks", () => {
  const taken = services.flatMap(({ methods }) =>
    methods.flatMap(({ input }) =>
      input.fields
        .filter((field) => isText(field) && takesNul(input, field))
        .map((field) => `${input.name}.${field.name}`),
    ),
  );
  expect(new Set(taken)).toEqual(readByOwner);
});
