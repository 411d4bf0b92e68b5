import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { isId } from "@sallyport/proto/ids";
import { fail } from "@sallyport/rpc";

const defaultPageSize = 100;

/** How many items a page has at most: what was asked for, or 100 when nothing was. */
export function pageLimit(pageSize: number): number {
  return pageSize === 0 ? defaultPageSize : pageSize;
}

/**
 * Cuts a page out of one row more than it holds. `last` is its last item, only when more follow.
 */
export function pageOf<T>(
  rows: readonly T[],
  pageSize: number,
): { items: T[]; last: T | undefined } {
  const items = rows.slice(0, pageLimit(pageSize));
  return { items, last: rows.length > items.length ? items.at(-1) : undefined };
}

/**
 * Where a listing by name continues: names of the deleted may occur twice, so the id decides
 * between them.
 */
export type Place = { readonly name: string; readonly id: string };

/**
 * The page token after a place: the name in base64url and the id, at most 196 characters for names
 * of 128 bytes.
 */
export function tokenOfPlace({ name, id }: Place): string {
  return `${Buffer.from(name).toString("base64url")}.${id}`;
}

/**
 * The place that a page token continues after, before all others for the first page. Throws
 * FIELD_INVALID for other texts.
 */
export function placeOfToken(token: string): Place {
  if (token === "") return { name: "", id: "" };
  const [encoded = "", id = ""] = token.split(".");
  const place = { name: Buffer.from(encoded, "base64url").toString(), id };
  const isPlace =
    (isId("prj", id) || isId("sec", id)) && place.name !== "" && !place.name.includes("\0");
  if (!isPlace || tokenOfPlace(place) !== token) throw invalidToken();
  return place;
}

/**
 * The version that a page token continues below, beyond all versions for the first page. Throws
 * FIELD_INVALID.
 */
export function versionOfToken(token: string): number {
  if (token === "") return Number.MAX_SAFE_INTEGER;
  if (!/^[1-9]\d{0,9}$/.test(token)) throw invalidToken();
  return Number(token);
}

function invalidToken(): Error {
  return fail(Reason.FIELD_INVALID, {
    field: "page_token",
    description: "is not a token of this listing",
  });
}
