import { BlockList } from "node:net";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addressText,
  firstOf,
  isAddress,
  parseRange,
  plainAddress,
  plainRange,
  rangesHave,
  sourceNetworkOf,
  sourceUnitOf,
} from "./address.ts";

describe("addresses", () => {
  test.each(["192.0.2.1", "0.0.0.0", "2001:db8::1", "::", "::ffff:192.0.2.1", "1:2:3:4:5:6:7:8"])(
    "%s is one",
    (text) => {
      expect(isAddress(text)).toBe(true);
    },
  );

  test.each([
    "",
    "x",
    "192.0.2",
    "192.0.2.01",
    "192.0.2.1/32",
    "fe80::1%eth0",
    "1:2:3:4:5:6:7:8:9",
    " ::1",
  ])("%s is none", (text) => {
    expect(isAddress(text)).toBe(false);
  });

  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["0:0:0:0:0:ffff:c000:0201", "192.0.2.1"],
    ["::ffff:0:1", "0.0.0.1"],
    ["2001:0DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["64:ff9b::192.0.2.1", "64:ff9b::c000:201"],
    ["::192.0.2.1", "::c000:201"],
    ["fe80::1%eth0", "fe80::1"],
    ["::", "::"],
  ])("%s is plainly %s", (text, plain) => {
    expect(plainAddress(text)).toBe(plain);
  });

  test("what is none has no plain form", () => {
    expect(() => plainAddress("192.0.2")).toThrow("it is no address");
  });
});

describe("units of addresses", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::6", "2001:db8:1:2::/64"],
    ["2001:db8::6", "2001:db8:0:0::/64"],
    ["2001:0DB8::6", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::1:2:3:4", "fe80:0:0:0::/64"],
    ["nowhere", "nowhere"],
  ])("%s is counted as %s", (address, unit) => {
    expect(sourceUnitOf(address)).toBe(unit);
  });

  test.each([
    ["192.0.2.1", "net 192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "net 2001:db8:1::/48"],
    ["2001:db8:1:ffff::6", "net 2001:db8:1::/48"],
    ["::1", "net 0:0:0::/48"],
  ])("%s is of %s", (address, network) => {
    expect(sourceNetworkOf(sourceUnitOf(address))).toBe(network);
  });
});

describe("ranges", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1/32", "192.0.2.1/32"],
    ["192.0.2.0/24", "192.0.2.0/24", "192.0.2.0/24"],
    ["0.0.0.0/0", "0.0.0.0/0", "0.0.0.0/0"],
    ["2001:DB8::/32", "2001:db8::/32", "2001:db8::/32"],
    ["::ffff:192.0.2.0/120", "::ffff:c000:200/120", "192.0.2.0/24"],
    ["::ffff:0:0/96", "::ffff:0:0/96", "0.0.0.0/0"],
    ["::ffff:0:0/90", "::ffff:0:0/90", "::ffff:0:0/90"],
    ["::/0", "::/0", "::/0"],
  ])("%s is written %s and plainly %s", (text, written, plain) => {
    const range = parseRange(text);
    if (!range) throw new Error("it is none");
    expect(addressText(range.bytes, range.bits)).toBe(written);
    const { bytes, bits } = plainRange(range);
    expect(addressText(bytes, bits)).toBe(plain);
  });

  test.each([
    "",
    "x",
    "192.0.2.0/",
    "192.0.2.0/33",
    "192.0.2.0/24/1",
    "192.0.2.0/-1",
    "192.0.2.0/1e1",
    "::/129",
    "010.1.0.0/16",
    "10.1/16",
    "fe80::%eth0/10",
    "1:2:3:4:5:6::7:192.0.2.0/128",
  ])("%j is none", (text) => {
    expect(parseRange(text)).toBeUndefined();
    expect(rangesHave([text])("192.0.2.0")).toBe(false);
  });

  test("the first address of a range has no bits behind its prefix", () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.integer({ min: 1, max: 128 }), (address, bits) => {
        const range = parseRange(`${address}/${bits}`);
        if (!range) throw new Error("it is none");
        const list = new BlockList();
        list.addSubnet(addressText(firstOf(range)), bits, "ipv6");
        expect(list.check(address, "ipv6")).toBe(true);
        expect(firstOf({ bytes: firstOf(range), bits })).toEqual(firstOf(range));
      }),
    );
  });

  test("hold what Node's own list holds", () => {
    const bits = fc.integer({ min: 0, max: 128 });
    fc.assert(
      fc.property(fc.ipV6(), fc.ipV6(), bits, bits, (network, other, size, shared) => {
        const range = parseRange(`${network}/${size}`);
        const strange = parseRange(`${other}/128`);
        if (!range || !strange || plainAddress(other).includes(".")) return;
        // An address anywhere, and one that has leading bits in common with the range.
        const mixed = addressText(
          strange.bytes.map((byte, at) => {
            const mask = 255 & ~(255 >> Math.min(Math.max(shared - at * 8, 0), 8));
            return ((range.bytes[at] ?? 0) & mask) | (byte & ~mask);
          }),
        );
        const list = new BlockList();
        list.addSubnet(network, size, "ipv6");
        for (const asked of [other, mixed].filter((each) => !plainAddress(each).includes(".")))
          expect(rangesHave([`${network}/${size}`])(asked)).toBe(list.check(asked, "ipv6"));
      }),
    );
  });

  test.each([
    ["::ffff:192.0.2.7", "192.0.2.0/24", true],
    ["192.0.2.7", "::ffff:192.0.2.0/120", true],
    ["192.0.2.7", "::/0", false],
    ["2001:db8::1", "0.0.0.0/0", false],
    ["fe80::1%eth0", "fe80::/10", true],
    ["nonsense", "::/0", false],
  ])("%s in %s: %s", (address, range, held) => {
    expect(rangesHave(["10.0.0.0/8", range])(address)).toBe(held);
  });
});
