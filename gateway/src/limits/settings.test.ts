import { readFileSync } from "node:fs";
import { readSettings } from "@sallyport/config";
import { describe, expect, test } from "vitest";
import { ratesOf } from "./rates.ts";
import { defaultLimits, limitSettings } from "./settings.ts";

type Row = {
  readonly variable: string;
  readonly byDefault: number;
  readonly min: number;
  readonly max: number;
};

const number = (text = ""): number => Number(text.replaceAll(",", ""));

/** The table of limits in the README: variable, default, bounds. */
function documented(): Row[] {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const row = /^\| `(SALLYPORT_\w+)` \| ([\d,]+) \| ([\d,]+) to ([\d,]+) \|/gm;
  return [...readme.matchAll(row)].map(([, variable = "", byDefault, min, max]) => ({
    variable,
    byDefault: number(byDefault),
    min: number(min),
    max: number(max),
  }));
}

const settingOf = (variable: string) => {
  const [setting] = Object.values(limitSettings).filter((one) => one.variable === variable);
  if (!setting) throw new Error(`${variable} is in the README and is no setting`);
  return setting;
};

test("the README lists every limit, and nothing else", () => {
  const variables = Object.values(limitSettings).map(({ variable }) => variable);
  expect(documented().map(({ variable }) => variable)).toEqual(variables);
});

describe.each(documented())("$variable", ({ variable, byDefault, min, max }) => {
  const read = (value: number | string) =>
    readSettings({ [variable]: String(value) }, { limit: settingOf(variable) }).limit;

  test("has the default that the README says", () => {
    expect(settingOf(variable).absent).toEqual({ value: byDefault });
  });

  test("takes both bounds, and nothing beyond them", () => {
    expect([read(min), read(max)]).toEqual([min, max]);
    const fault = `${variable} is not a whole number from ${min} to ${max}`;
    for (const value of [min - 1, max + 1, "1.5", "many"]) expect(() => read(value)).toThrow(fault);
  });
});

test("a burst is two seconds' worth of a rate, and ten seconds' of keys", () => {
  const rates = ratesOf({ ...defaultLimits, readsPerPrincipal: 7, newKeysPerAddress: 3 });
  expect(rates.principal.read).toEqual({ perSecond: 7, burst: 14 });
  expect(rates.newKey).toEqual({ perSecond: 3, burst: 30 });
});
