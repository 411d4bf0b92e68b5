import type { Survivor } from "./judge.ts";

/** Every mutant that may survive, with the reason; a run fails on one that is missing here and on one that is too many. */
export const survivors: readonly Survivor[] = [
  {
    file: "services/policy/src/rpc/authorize.ts",
    code: "if (item) pages.set(item, page);",
    change: "item → true",
    why: "for the compiler alone: there are as many pages as items that asked for one",
  },
];
