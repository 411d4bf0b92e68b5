import { expect, test } from "vitest";
import { prepareGo, unformattedGo } from "./go-program.ts";
import { describeForeignClient } from "./foreign-suite.ts";

const prepared = await prepareGo();

describeForeignClient("Go", prepared);

test.skipIf(prepared.kind === "missing")("is formatted as gofmt does", async () => {
  expect(await unformattedGo()).toBe("");
});
