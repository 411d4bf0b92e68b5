import { create } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import { ListRecordsRequestSchema } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { describe, expect, test } from "vitest";
import { comparable, isAddress, networkOf } from "./source.ts";

describe("addresses", () => {
  test.each(["192.0.2.1", "0.0.0.0", "2001:db8::1", "::", "::ffff:192.0.2.1", "1:2:3:4:5:6:7:8"])(
    "%s is one",
    (text) => {
      expect(isAddress(text)).toBe(true);
    },
  );

  test.each(["", "x", "192.0.2", "192.0.2.01", "192.0.2.1/32", "fe80::1%eth0", "1:2:3:4:5:6:7:8:9", " ::1"])(
    "%s is none",
    (text) => {
      expect(isAddress(text)).toBe(false);
    },
  );

  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["0:0:0:0:0:ffff:c000:0201", "192.0.2.1"],
    ["::ffff:0:1", "0.0.0.1"],
    ["2001:0DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["64:ff9b::192.0.2.1", "64:ff9b::c000:201"],
    ["::192.0.2.1", "::c000:201"],
  ])("%s is compared as %s", (text, want) => {
    expect(comparable(text)).toBe(want);
  });
});

describe("the filter", () => {
  const validator = createValidator();
  const keeps = (sourceCidr: string) =>
    validator.validate(ListRecordsRequestSchema, create(ListRecordsRequestSchema, { sourceCidr })).kind;

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
});
