// Postgres takes no NUL in a text: whatever a client may send must be refused for it before it is
// looked up.
import { type DescField, type DescMessage, ScalarType, create } from "@bufbuild/protobuf";
import { pathToString, reflect } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import { publicServices } from "@sallyport/proto/verifying";
import { expect, test } from "vitest";
import { access } from "@sallyport/roles";

/**
 * Texts whose owner reads them before Postgres does: printable texts, patterns, page tokens, and a
 * name that is compared.
 */
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
  expect(new Set(publicServices.map(({ typeName }) => typeName))).toEqual(named);
});

test("the contract of every text of every public request takes no NUL, or its owner's code looks", () => {
  const taken = publicServices.flatMap(({ methods }) =>
    methods.flatMap(({ input }) =>
      input.fields
        .filter((field) => isText(field) && takesNul(input, field))
        .map((field) => `${input.name}.${field.name}`),
    ),
  );
  expect(new Set(taken)).toEqual(readByOwner);
});
