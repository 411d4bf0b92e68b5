import { create } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import { ListRecordsRequestSchema } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { OpenItemSchema } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import { ForwardRequestSchema } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import { AuthorizeItemSchema } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { describe, expect, test } from "vitest";
import { isAddress } from "@sallyport/proto/address";
import { networkOf } from "./source.ts";

const validator = createValidator();

// An event with an address that the log refuses would leave a change without its record: such an
// address must not get in.
describe("whoever takes an address from the gateway takes those that the log takes", () => {
  const messages: readonly (readonly [
    string,
    (sourceIp: string) => Parameters<typeof validator.validate>,
  ])[] = [
    ["Forward", (sourceIp) => [ForwardRequestSchema, create(ForwardRequestSchema, { sourceIp })]],
    ["Authorize", (sourceIp) => [AuthorizeItemSchema, create(AuthorizeItemSchema, { sourceIp })]],
    ["Open", (sourceIp) => [OpenItemSchema, create(OpenItemSchema, { sourceIp })]],
  ];
  const texts = [
    "192.0.2.1",
    "2001:db8::1",
    "::ffff:192.0.2.1",
    "fe80::1%eth0",
    "192.0.2.01",
    "x",
    "::1 ",
  ];
  test.each(messages)("%s", (_, messageWith) => {
    for (const text of texts) {
      const { kind, violations = [] } = validator.validate(...messageWith(text));
      const refused = violations.some(({ field }) => pathToString(field) === "source_ip");
      expect([kind, text, !refused]).toEqual(["invalid", text, isAddress(text)]); // Other fields are missing.
    }
  });
});

describe("the filter", () => {
  const keeps = (sourceCidr: string) =>
    validator.validate(ListRecordsRequestSchema, create(ListRecordsRequestSchema, { sourceCidr }))
      .kind;

  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["192.0.2.0/24", "192.0.2.0/24"],
    ["0.0.0.0/0", "0.0.0.0/0"],
    ["192.0.2.7/32", "192.0.2.7/32"],
    ["2001:db8::/32", "2001:db8::/32"],
    ["::/0", "::/0"],
    ["::ffff:192.0.2.0/120", "192.0.2.0/24"],
    ["::ffff:c000:200/120", "192.0.2.0/24"],
    ["::ffff:0:0/96", "0.0.0.0/0"],
  ])("%s is read", (text, want) => {
    expect(keeps(text)).toBe("valid");
    expect(networkOf(text)).toEqual(want);
  });

  test.each([
    "x",
    "192.0.2.1/24",
    "2001:db8::1/32",
    "192.0.2.0/33",
    "192.0.2.0/024",
    "192.0.2.0/",
    "192.0.2.0/24/1",
    "::ffff:192.0.2.0/90",
    "fe80::1%eth0",
    "fe80::%eth0/10",
  ])("%s breaks the contract", (text) => {
    expect(keeps(text)).toBe("invalid");
  });

  test("of nine groups keeps the contract, and is refused", () => {
    for (const text of ["1:2:3:4:5:6::7:192.0.2.0", "1:2:3:4:5:6::7:192.0.2.0/128"]) {
      expect(keeps(text)).toBe("valid");
      expect(() => networkOf(text)).toThrow(
        expect.objectContaining({ reason: Reason.FIELD_INVALID }),
      );
    }
  });
});
