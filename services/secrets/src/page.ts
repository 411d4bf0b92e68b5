import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";

const defaultPageSize = 100;

/** How many items a page has at most: what was asked for, or 100 when nothing was. */
export function pageLimit(pageSize: number): number {
  return pageSize === 0 ? defaultPageSize : pageSize;
}

/** Cuts a page out of one row more than it holds. `last` is its last item, only when more follow. */
export function pageOf<T>(rows: readonly T[], pageSize: number): { items: T[]; last: T | undefined } {
  const items = rows.slice(0, pageLimit(pageSize));
  return { items, last: rows.length > items.length ? items.at(-1) : undefined };
}

/** The page token after a name: its base64url, at most 171 characters for names of 128 bytes. */
export function tokenOfName(name: string): string {
  return Buffer.from(name).toString("base64url");
}

/** The name that a page token continues after, empty for the first page. Throws FIELD_INVALID for any other text. */
export function nameOfToken(token: string): string {
  const name = Buffer.from(token, "base64url").toString();
  if (tokenOfName(name) !== token || name.includes("\0")) throw invalidToken();
  return name;
}

/** The version that a page token continues below, beyond all versions for the first page. Throws FIELD_INVALID. */
export function versionOfToken(token: string): number {
  if (token === "") return Number.MAX_SAFE_INTEGER;
  if (!/^[1-9]\d{0,9}$/.test(token)) throw invalidToken();
  return Number(token);
}

function invalidToken(): Error {
  return fail(Reason.FIELD_INVALID, { field: "page_token", description: "is not a token of this listing" });
}
