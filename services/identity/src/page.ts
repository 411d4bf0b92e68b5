import { type IdPrefix, isId } from "@sallyport/proto/ids";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";

const defaultPageSize = 50;

/**
 * Reads one page: `load` gets the last id of the page before, or empty, and the most to return; it
 * is asked for one item more than the page holds, which shows whether another follows. Throws
 * Failure FIELD_INVALID for a foreign page token.
 */
export async function readPage<T>(
  { pageSize, pageToken }: { readonly pageSize: number; readonly pageToken: string },
  prefix: IdPrefix,
  idOf: (item: T) => string,
  load: (after: string, limit: number) => Promise<readonly T[]>,
): Promise<{ readonly items: readonly T[]; readonly nextPageToken: string }> {
  if (pageToken !== "" && !isId(prefix, pageToken))
    throw fail(Reason.FIELD_INVALID, {
      field: "page_token",
      description: "is not from this listing",
    });
  const size = pageSize === 0 ? defaultPageSize : pageSize;
  const found = await load(pageToken, size + 1);
  const items = found.slice(0, size);
  const last = items.at(-1);
  return { items, nextPageToken: found.length > size && last !== undefined ? idOf(last) : "" };
}
