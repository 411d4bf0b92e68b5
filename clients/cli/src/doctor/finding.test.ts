import { SallyportError } from "@sallyport/client";
import { expect, test } from "vitest";
import { failed } from "./finding.ts";

test.each([
  ["UNREACHABLE", 6],
  ["DEPENDENCY_UNAVAILABLE", 6],
  ["RATE_LIMITED", 6],
  ["MACHINE_DISABLED", 4],
  ["REQUEST_REJECTED", 4],
  ["ROOT_CHANGED", 4],
] as const)("a check that failed with %s asks for exit code %i", (reason, exitCode) => {
  const finding = failed("accepted", new SallyportError(reason, "the words"));
  expect(finding).toMatchObject({ check: "accepted", status: "bad", exitCode });
  expect(finding.fix).toMatch(/\w/);
});
