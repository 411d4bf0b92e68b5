/** One page of a listing, as every service answers. */
type Page<T> = { readonly items: readonly T[]; readonly nextPageToken: string };

/**
 * Everything that a listing has, or the first `limit` of it: asks for page after page. What is listed twice, since
 * something was added meanwhile, is the caller's to bear.
 */
export async function everyPage<T>(
  fetch: (pageToken: string) => Promise<Page<T>>,
  limit = Number.MAX_SAFE_INTEGER,
): Promise<T[]> {
  const items: T[] = [];
  let pageToken = "";
  do {
    const page = await fetch(pageToken);
    items.push(...page.items);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && items.length < limit);
  return items.slice(0, limit);
}

/** Runs these in order, a few at a time, so that a long list does not use up what a caller may ask for at once. */
export async function fewAtOnce<T, R>(
  items: readonly T[],
  action: (item: T) => Promise<R>,
  atOnce = 8,
): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += atOnce)
    results.push(...(await Promise.all(items.slice(at, at + atOnce).map(action))));
  return results;
}

/** Cuts a list into parts of at most so many items. */
export function partsOf<T>(items: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let at = 0; at < items.length; at += size) parts.push(items.slice(at, at + size));
  return parts;
}
