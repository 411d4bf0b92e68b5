import { afterAll, beforeAll } from "vitest";
import { describeEvidence } from "./evidence.ts";
import { describeForgery } from "./forge.ts";
import { describeNonsense } from "./nonsense.ts";
import { describeRecords } from "./records.ts";
import { describeReplays } from "./replay.ts";
import { type Stage, setStage } from "./stage.ts";
import { describeSwaps } from "./swap.ts";
import { describeTokens } from "./tokens.ts";

let current: Stage | undefined;

beforeAll(async () => {
  current = await setStage();
});
afterAll(() => current?.[Symbol.asyncDispose]());

function stage(): Stage {
  if (!current) throw new Error("the deployment did not start");
  return current;
}

describeForgery(stage);
describeSwaps(stage);
describeReplays(stage);
describeRecords(stage);
describeEvidence(stage);
describeNonsense(stage);
describeTokens(stage);
