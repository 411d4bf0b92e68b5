import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { expect, test } from "vitest";
import { pageTokenOf, parsePageToken } from "./page-token.ts";

test.each([1n, 50n, 999_999_999_999_999_999n])("seq %s comes back", (seq) => {
  expect(parsePageToken(pageTokenOf(seq))).toBe(seq);
});

test.each([
  "x",
  "c2VxOjA",
  "c2VxOjE=",
  "c2VxOi0x",
  `${pageTokenOf(5n)}.`,
  Buffer.from("seq:01").toString("base64url"),
])("%s is refused", (token) => {
  expect(() => parsePageToken(token)).toThrow(
    expect.objectContaining({
      reason: Reason.FIELD_INVALID,
      metadata: expect.objectContaining({ field: "page_token" }) as object,
    }) as Error,
  );
});
