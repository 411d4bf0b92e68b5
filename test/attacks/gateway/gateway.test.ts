import { afterAll, beforeAll, describe } from "vitest";
import { describeAnswers } from "./answers.ts";
import { describeEnvelopes } from "./envelopes.ts";
import { describeEvidence } from "./evidence.ts";
import { describeForgery } from "./forge.ts";
import { type Front, takeFront } from "./front.ts";
import { describeKeysets } from "./keyset.ts";
import { describeListings } from "./listings.ts";
import { describeNonsense } from "./nonsense.ts";
import { describeRecords } from "./records.ts";
import { describeReplies } from "./replies.ts";
import { describeReplays } from "./replay.ts";
import { describeRights } from "./rights.ts";
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
describeEnvelopes(stage);
const describeHeldBack = describeReplays(stage);
describeRecords(stage);
describeEvidence(stage);
describeRights(stage);
describeNonsense(stage);
describeHeldBack();
describeTokens(stage);

describe("what clients are answered", () => {
  let front: Front | undefined;
  const taken = (): Front => {
    if (!front) throw new Error("the front was not taken");
    return front;
  };
  beforeAll(async () => {
    front = await takeFront(stage());
  });
  afterAll(() => front?.[Symbol.asyncDispose]());

  describeReplies(stage, taken);
  describeKeysets(stage, taken);
  describeListings(stage, taken);
  describeAnswers(stage, taken);
});
