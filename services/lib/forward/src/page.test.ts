import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { expect, test } from "vitest";
import { pageLimit, pageOf, pageTokenInvalid } from "./page.ts";

test("a page has what was asked for, or 100 items", () => {
  expect([pageLimit(0), pageLimit(7)]).toEqual([100, 7]);
});

test("a page ends with its last item only when more follow", () => {
  expect(pageOf([1, 2, 3], 2)).toEqual({ items: [1, 2], last: 2 });
  expect(pageOf([1, 2, 3, 4], 3)).toEqual({ items: [1, 2, 3], last: 3 });
  expect(pageOf([1, 2], 2)).toEqual({ items: [1, 2], last: undefined });
  expect(pageOf([], 2)).toEqual({ items: [], last: undefined });
});

test("a token of another listing is refused by its field", () => {
  expect(pageTokenInvalid()).toMatchObject({
    reason: Reason.FIELD_INVALID,
    metadata: { field: "page_token", description: "is not a token of this listing" },
  });
});
