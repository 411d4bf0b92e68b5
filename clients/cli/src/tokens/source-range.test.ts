import { BlockList } from "node:net";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { explain } from "../app/failure.ts";
import { readRange } from "./source-range.ts";

test.each([
  ["10.1.0.0/16", "10.1.0.0/16"],
  ["0.0.0.0/0", "0.0.0.0/0"],
  ["10.1.2.3", "10.1.2.3/32"],
  ["2001:db8::/32", "2001:db8::/32"],
  ["::1", "::1/128"],
  ["::/0", "::/0"],
  ["2001:db8:0:0:8000::/65", "2001:db8:0:0:8000::/65"],
])("%s is %s", (typed, range) => {
  expect(readRange(typed, "--source")).toBe(range);
});

test.each([
  "",
  "10.1/16",
  "10.1.0.0/33",
  "::/129",
  "10.1.0.0/",
  "10.1.0.0/16/2",
  "10.1.0.0/-1",
  "010.1.0.0/16",
  "fe80::1%eth0",
  "example.com",
  "10.1.0.0/1e1",
])("%j is refused", (typed) => {
  expect(() => readRange(typed, "--source")).toThrow(/--source takes address ranges such as/);
});

test.each([
  ["10.1.2.3/16", "probably 10.1.0.0/16 was meant"],
  ["2001:db8::1/32", "probably 2001:db8::/32 was meant"],
  ["::ffff:10.1.2.3/112", "probably ::ffff:a01:0/112 was meant"],
])("%s has bits behind its prefix: %s", (typed, next) => {
  const refusal = (() => {
    try {
      return readRange(typed, "--source");
    } catch (error) {
      return explain(error);
    }
  })();
  expect(refusal).toMatchObject({ reason: "USAGE", exitCode: 2, next });
});

test("what is meant is the range that the address is in, by another reading of addresses", () => {
  fc.assert(
    fc.property(fc.ipV6(), fc.integer({ min: 1, max: 127 }), (address, prefix) => {
      const range = rangeOf(`${address}/${prefix}`);
      const list = new BlockList();
      list.addSubnet(range.split("/")[0] ?? "", prefix, "ipv6");
      expect(list.check(address, "ipv6")).toBe(true);
    }),
  );
});

function rangeOf(typed: string): string {
  try {
    return readRange(typed, "--source");
  } catch (error) {
    return /probably (\S+) was/.exec(explain(error).next)?.[1] ?? "";
  }
}
