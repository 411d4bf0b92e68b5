import type { Survivor } from "../judge.ts";

/** Every mutant of policy's gate that may survive, and why. */
export const gate: readonly Survivor[] = [
  {
    file: "services/policy/src/rpc/authorize.ts",
    code: "if (item) pages.set(item, page);",
    change: "item → true",
    why: "for the compiler alone: there are as many pages as items that asked for one",
  },
];
