import { setTimeout as sleep } from "node:timers/promises";
import { toSallyportError } from "@sallyport/client/reading";

/** One page of a listing, as every service answers. */
type Page<T> = { readonly items: readonly T[]; readonly nextPageToken: string };

/**
 * Everything that a listing has, or the first `limit` of it: asks for page after page. What is
 * listed twice, since something was added meanwhile, is the caller's to bear.
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

const patienceMs = 60_000;

/**
 * Runs these in order, a few at a time, so that a long list does not use up what a caller may ask
 * for at once. The rate limit that a long list reaches is waited for, up to a minute in all.
 */
export async function fewAtOnce<T, R>(
  items: readonly T[],
  action: (item: T) => Promise<R>,
  atOnce = 8,
): Promise<R[]> {
  const untilMs = performance.now() + patienceMs;
  const patiently = (item: T): Promise<R> => whileLimited(() => action(item), untilMs);
  const results: R[] = [];
  for (let at = 0; at < items.length; at += atOnce)
    results.push(...(await Promise.all(items.slice(at, at + atOnce).map(patiently))));
  return results;
}

// A rate limit refuses before anything is done, so this may be a change too.
async function whileLimited<R>(action: () => Promise<R>, untilMs: number): Promise<R> {
  for (;;) {
    try {
      return await action();
    } catch (error) {
      const { reason, retryAfterMs } = toSallyportError(error);
      if (reason !== "RATE_LIMITED" || retryAfterMs === undefined) throw error;
      if (performance.now() + retryAfterMs > untilMs) throw error;
      await sleep(retryAfterMs * (1 + Math.random() / 5));
    }
  }
}

/** Cuts a list into parts of at most so many items. */
export function partsOf<T>(items: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let at = 0; at < items.length; at += size) parts.push(items.slice(at, at + size));
  return parts;
}
