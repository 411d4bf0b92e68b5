import { ConfigError, readSettings } from "@sallyport/config";
import { expect, test } from "vitest";
import { rangesHave } from "@sallyport/proto/address";
import { addressRanges } from "./proxies.ts";

const variable = "SALLYPORT_X";
const read = (value?: string) =>
  readSettings({ [variable]: value }, { ranges: addressRanges(variable) }).ranges;

test("addresses and networks of both families are read; none when it is not set", () => {
  expect(read("10.0.0.0/8, 192.0.2.7,2001:db8::/32 , ::1")).toEqual([
    "10.0.0.0/8",
    "192.0.2.7",
    "2001:db8::/32",
    "::1",
  ]);
  expect(read()).toEqual([]);
  expect(read("")).toEqual([]);
});

test.each([
  "balancer.example",
  "10.0.0.0/33",
  "::/129",
  "0.0.0.0/0",
  "::/0",
  "10.0.0.0/",
  "10.0.0.0/8/8",
  "10.0.0.0/-1",
  "10.0.0.1,",
  "10.0.0",
])("%s is refused, naming the variable", (value) => {
  expect(() => read(value)).toThrow(ConfigError);
  expect(() => read(value)).toThrow(variable);
});

test("an address is found in what is given, and nowhere else", () => {
  const has = rangesHave(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]);
  for (const address of ["10.1.2.3", "192.0.2.7", "2001:db8:1::1"]) expect(has(address)).toBe(true);
  for (const address of ["11.0.0.1", "192.0.2.8", "2001:db9::1", "::1", "", "nowhere"])
    expect(has(address)).toBe(false);
  expect(rangesHave([])("127.0.0.1")).toBe(false);
});
