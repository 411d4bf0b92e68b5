import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { type Failure, fail } from "@sallyport/rpc";

const defaultPageSize = 100;

/** The greatest number of items of a page: the requested one, or 100 without one. */
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

/** Makes the refusal of a page token that does not belong to the listing. */
export function pageTokenInvalid(): Failure {
  return fail(Reason.FIELD_INVALID, {
    field: "page_token",
    description: "is not a token of this listing",
  });
}
