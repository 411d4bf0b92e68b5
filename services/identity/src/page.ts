import { pageLimit, pageOf, pageTokenInvalid } from "@sallyport/forward";
import { type IdPrefix, isId } from "@sallyport/proto/ids";

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
  if (pageToken !== "" && !isId(prefix, pageToken)) throw pageTokenInvalid();
  const found = await load(pageToken, pageLimit(pageSize) + 1);
  const { items, last } = pageOf(found, pageSize);
  return { items, nextPageToken: last === undefined ? "" : idOf(last) };
}
