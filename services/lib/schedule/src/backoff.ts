/** An exponential backoff: each pause is twice the one before, up to the longest; milliseconds. */
export type Backoff = { readonly firstMs: number; readonly longestMs: number };

/** Returns the pause after so many failures in a row, at least one. */
export function backoffMs(failures: number, { firstMs, longestMs }: Backoff): number {
  return Math.min(firstMs * 2 ** (failures - 1), longestMs);
}
