import type { TestSecrets } from "./secrets.ts";

/** One way in which a change may fail between secrets and its peers. */
export type Fault = { readonly name: string; readonly cause: (secrets: TestSecrets) => void };

/** Every step of a change at which something may fail. */
export const faults: readonly Fault[] = [
  { name: "policy is away", cause: ({ memory }) => void (memory.down.policy = true) },
  { name: "policy's answer is lost", cause: ({ memory }) => void (memory.lost.policy = true) },
  {
    name: "secrets dies before it commits",
    cause: ({ crash }) => void (crash.at = "before commit"),
  },
  { name: "secrets dies after it commits", cause: ({ crash }) => void (crash.at = "after commit") },
  // Nothing waits for delivery then, so the first that the log does not take is the record of the
  // change.
  {
    name: "audit is away after the commit",
    cause: ({ memory }) => void (memory.down.audit = true),
  },
];

/** Ends every fault. */
export function mend({ memory, crash }: TestSecrets): void {
  Object.assign(memory.down, { audit: false, policy: false });
  memory.lost.policy = false;
  crash.at = undefined;
}
