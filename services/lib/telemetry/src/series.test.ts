import { expect, test } from "vitest";
import { createSeries } from "./series.ts";

const values = <T>(series: ReturnType<typeof createSeries<T>>) =>
  [...series.entries()].map(({ labels, kept }) => [Object.values(labels).join(","), kept]);

test("the same values of the labels are the same series, in whichever order they are named", () => {
  const series = createSeries(["a", "b"], () => ({ value: 0 }));
  series.at({ a: "1", b: "2" }).value += 1;
  series.at({ b: "2", a: "1" }).value += 1;
  series.at({ a: "12", b: "" }).value += 5;
  series.at({ a: "1", b: "" }).value += 7;
  expect(values(series)).toEqual([
    ["1,2", { value: 2 }],
    ["12,", { value: 5 }],
    ["1,", { value: 7 }],
  ]);
});

test("a metric without labels is one series", () => {
  const series = createSeries([], () => ({ value: 0 }));
  series.at({}).value += 1;
  series.at({}).value += 1;
  expect(values(series)).toEqual([["", { value: 2 }]]);
});

test("labels that are not few end in one series, and what is known goes on", () => {
  const series = createSeries(["a"], () => ({ value: 0 }));
  for (let at = 0; at < 5000; at += 1) series.at({ a: String(at) }).value += 1;
  series.at({ a: "7" }).value += 1;
  const all = values(series);
  expect(all).toHaveLength(2001);
  expect(all).toContainEqual(["overflow", { value: 3000 }]);
  expect(all).toContainEqual(["7", { value: 2 }]);
});
