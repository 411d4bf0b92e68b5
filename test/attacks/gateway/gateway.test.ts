import { afterAll, beforeAll } from "vitest";
import { describeForgery } from "./forge.ts";
import { type Stage, setStage } from "./stage.ts";
import { describeSwaps } from "./swap.ts";

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
