import { SallyportError } from "@sallyport/client/error";
import { expect, test } from "vitest";
import { reasonToWait } from "./connect.ts";

test("a gateway that lost its memory is not taken for a wrong clock of this computer", () => {
  const message =
    "the request's time is outside the window: set the clock by server_time and sign again";
  const skewed = new SallyportError("CLOCK_SKEW", message, { retryAfterMs: 200 });
  expect(reasonToWait(skewed)).toBe("the server has just restarted its memory of requests");
  expect(reasonToWait(new SallyportError("RATE_LIMITED", "slow down"))).toBe("slow down");
});
