import { expect, test } from "vitest";
import { SallyportError } from "./sallyport-error.ts";
import { retrying } from "./retry.ts";

const soon = (ms: number): number => performance.now() + ms;

/** Fails with these, one after the other, and then succeeds. */
function failing(...failures: SallyportError[]) {
  const left = [...failures];
  let calls = 0;
  const action = async (): Promise<string> => {
    calls += 1;
    const failure = left.shift();
    if (failure) throw failure;
    return "done";
  };
  return { action, calls: () => calls };
}

const limited = (retryAfterMs: number) =>
  new SallyportError("RATE_LIMITED", "slow down", { retryAfterMs });

test("what may pass is done again after the delay that the server asked for", async () => {
  const { action, calls } = failing(
    limited(40),
    new SallyportError("DEPENDENCY_UNAVAILABLE", "later"),
  );
  const waits: [string, number][] = [];
  const onWait = (error: SallyportError, ms: number): void => void waits.push([error.reason, ms]);
  const started = performance.now();
  expect(await retrying(action, { untilMs: soon(5000), onWait })).toBe("done");
  expect(calls()).toBe(3);
  expect(waits.map(([reason]) => reason)).toEqual(["RATE_LIMITED", "DEPENDENCY_UNAVAILABLE"]);
  expect(waits[0]?.[1]).toBeGreaterThanOrEqual(40);
  expect(performance.now() - started).toBeGreaterThanOrEqual(40);
});

test.each([
  ["a refusal", new SallyportError("NOT_GRANTED", "no")],
  ["a reply that cannot be trusted", new SallyportError("REPLY_UNTRUSTED", "no")],
  [
    "an untrusted certificate",
    new SallyportError("UNREACHABLE", "no", { metadata: { cause: "CERT" } }),
  ],
])("%s is final", async (_, failure) => {
  const { action, calls } = failing(failure);
  await expect(retrying(action, { untilMs: soon(5000) })).rejects.toBe(failure);
  expect(calls()).toBe(1);
});

test.each(["ECONNREFUSED", "ECONNRESET", "CLOSED", "EAI_AGAIN", "ENETUNREACH", "UNAVAILABLE"])(
  "a gateway out of reach by %s is tried again",
  async (cause) => {
    const { action } = failing(new SallyportError("UNREACHABLE", "no", { metadata: { cause } }));
    expect(await retrying(action, { untilMs: soon(5000) })).toBe("done");
  },
);

test("it gives up at once when the delay ends after the time that is left", async () => {
  const { action, calls } = failing(limited(60_000));
  await expect(retrying(action, { untilMs: soon(1000) })).rejects.toMatchObject({
    reason: "RATE_LIMITED",
  });
  expect(calls()).toBe(1);
});
