import { expect, test } from "vitest";
import { networkOf, sourceUnitOf } from "./source-unit.ts";

test.each([
  ["192.0.2.1", "192.0.2.1"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2::6", "2001:db8:1:2::/64"],
  ["2001:db8::6", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["fe80::1:2:3:4", "fe80:0:0:0::/64"],
])("%s is counted as %s", (address, unit) => {
  expect(sourceUnitOf(address)).toBe(unit);
});

test.each([
  ["192.0.2.1", "net 192.0.2.1"],
  ["2001:db8:1:2:3:4:5:6", "net 2001:db8:1::/48"],
  ["2001:db8:1:ffff::6", "net 2001:db8:1::/48"],
  ["::1", "net 0:0:0::/48"],
])("%s is of %s", (address, network) => {
  expect(networkOf(sourceUnitOf(address))).toBe(network);
});
