import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isInside } from "./cidr.ts";

/** An IPv4 address as a number, and whether a range holds it, by arithmetic alone. */
const numberOf = (address: string) =>
  address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
const textOf = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
const holds = (network: number, bits: number, address: number) =>
  Math.floor(network / 2 ** (32 - bits)) === Math.floor(address / 2 ** (32 - bits));

describe("isInside", () => {
  test.each([
    ["192.0.2.7", [], true],
    ["nonsense", [], true],
    ["192.0.2.7", ["192.0.2.0/24"], true],
    ["192.0.3.7", ["192.0.2.0/24"], false],
    ["192.0.2.7", ["192.0.2.7/32"], true],
    ["192.0.2.7", ["0.0.0.0/0"], true],
    ["::ffff:192.0.2.7", ["192.0.2.0/24"], true],
    ["::ffff:c000:207", ["192.0.2.0/24"], true],
    ["::FFFF:192.0.2.7", ["192.0.3.0/24"], false],
    ["192.0.2.7", ["::ffff:192.0.2.0/120"], true],
    ["::ffff:192.0.2.7", ["::ffff:192.0.2.0/120"], true],
    ["192.0.2.7", ["::/0"], false],
    ["::ffff:192.0.2.7", ["::/0"], false],
    ["2001:db8::1", ["::/0"], true],
    ["2001:db8::1", ["0.0.0.0/0"], false],
    ["2001:db8::1", ["2001:db8::/32"], true],
    ["2001:db9::1", ["2001:db8::/32"], false],
    ["2001:0db8:0000::0001", ["2001:db8::1/128"], true],
    ["2001:db8::1", ["10.0.0.0/8", "2001:db8::/32"], true],
    ["nonsense", ["0.0.0.0/0", "::/0"], false],
    ["", ["0.0.0.0/0", "::/0"], false],
    ["192.0.2.7.8", ["0.0.0.0/0", "::/0"], false],
    ["fe80::1%eth0", ["fe80::/10"], true],
    ["192.0.2.0", ["1:2:3:4:5:6::7:192.0.2.0/128"], false],
    ["192.0.2.7", ["1:2:3:4:5:6::7:192.0.2.0/128", "192.0.2.0/24"], true],
  ])("%s in %j: %s", (address, ranges, want) => {
    expect(isInside(address, ranges)).toBe(want);
  });

  test("agrees with arithmetic over IPv4", () => {
    const bits = fc.integer({ min: 0, max: 32 });
    const address = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    fc.assert(
      fc.property(
        bits,
        address,
        address,
        fc.integer({ min: 0, max: 32 }),
        (size, from, other, near) => {
          const network = size === 0 ? 0 : Math.floor(from / 2 ** (32 - size)) * 2 ** (32 - size);
          // An address anywhere, and one that differs from the network in few bits.
          const close = (network ^ (near === 32 ? 0 : 1 << near)) >>> 0;
          for (const asked of [other, close]) {
            const want = holds(network, size, asked);
            expect(isInside(textOf(asked), [`${textOf(network)}/${size}`])).toBe(want);
            expect(isInside(`::ffff:${textOf(asked)}`, [`${textOf(network)}/${size}`])).toBe(want);
          }
          expect(numberOf(textOf(network))).toBe(network);
        },
      ),
    );
  });
});
