import { SallyportError } from "@sallyport/client/error";
import { expect, test } from "vitest";
import { fewAtOnce } from "./pages.ts";

const limited = () => new SallyportError("RATE_LIMITED", "slow down", { retryAfterMs: 5 });

test("a rate limit in the midst of a long list is waited for, and every item done once", async () => {
  const done: number[] = [];
  let left = 10;
  const items = Array.from({ length: 50 }, (_, index) => index);
  const results = await fewAtOnce(items, async (item) => {
    if (item % 7 === 3 && left > 0) {
      left -= 1;
      throw limited();
    }
    done.push(item);
    return item * 2;
  });
  expect(results).toEqual(items.map((item) => item * 2));
  expect(done.toSorted((one, other) => one - other)).toEqual(items);
  expect(left).toBe(0);
});

test.each([
  ["another refusal", new SallyportError("NOT_FOUND", "none")],
  ["a limit without a delay", new SallyportError("RATE_LIMITED", "slow down")],
  [
    "a delay that is too long",
    new SallyportError("RATE_LIMITED", "later", { retryAfterMs: 61_000 }),
  ],
])("%s ends it", async (_, error) => {
  let calls = 0;
  const action = async (): Promise<never> => {
    calls += 1;
    throw error;
  };
  await expect(fewAtOnce([1, 2, 3], action, 1)).rejects.toBe(error);
  expect(calls).toBe(1);
});
