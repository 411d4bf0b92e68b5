import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { expect, test } from "vitest";
import { cursorOfToken, tokenOfCursor } from "./page-cursor.ts";

test.each(["prj", "sec"] as const)("a listing continues after a name and an id of %s", (prefix) => {
  const place = { name: "DB_URL", id: newId(prefix) };
  expect(cursorOfToken(tokenOfCursor(place))).toEqual(place);
});

test("without a token it begins before every name", () => {
  expect(cursorOfToken("")).toEqual({ name: "", id: "" });
});

const id = newId("sec");
test.each([
  ["no name and no id", "."],
  ["no name", `.${id}`],
  ["no id", "REJfVVJM."],
  ["the id of something else", tokenOfCursor({ name: "DB_URL", id: newId("mch") })],
  ["a NUL character, which Postgres does not take", tokenOfCursor({ name: "a\0b", id })],
  ["a second spelling of the name", `REJfVVJM=.${id}`],
  ["something behind the id", `${tokenOfCursor({ name: "DB_URL", id })}.`],
])("a token with %s is not taken", (_, token) => {
  const refusal = {
    reason: Reason.FIELD_INVALID,
    metadata: { field: "page_token", description: "is not a token of this listing" },
  };
  expect(() => cursorOfToken(token)).toThrow(expect.objectContaining(refusal));
});
