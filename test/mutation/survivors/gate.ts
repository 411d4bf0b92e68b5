import type { Survivor } from "../judge.ts";

/** Every mutant of policy's gate that may survive, and why. */
export const gate: readonly Survivor[] = [
  {
    file: "services/policy/src/rpc/authorize.ts",
    code: "if (item) pages.set(item, page);",
    change: "item → true",
    why: "for the compiler alone: there are as many pages as items that asked for one",
  },
  {
    file: "services/policy/src/rpc/authorize.ts",
    code: "if (error instanceof Failure && error.reason === Reason.RATE_LIMITED) return toRefusal(error);",
    change:
      "error instanceof Failure && error.reason === Reason.RATE_LI… → error instanceof Failure || error.reason === Reason.RATE_LI…",
    why: "the log's other failure is DEPENDENCY_UNAVAILABLE, which is the answer below as well",
  },
  {
    file: "services/policy/src/rpc/authorize.ts",
    code: "if (error instanceof Failure && error.reason === Reason.RATE_LIMITED) return toRefusal(error);",
    change: "error.reason === Reason.RATE_LIMITED → true",
    why: "the log's other failure is DEPENDENCY_UNAVAILABLE, which is the answer below as well",
  },
];
