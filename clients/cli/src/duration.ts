import { UsageError } from "./failure.ts";

const seconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Reads "90s", "15m", "12h" or "30d" as whole seconds; UsageError for anything else. */
export function parseDuration(text: string): number {
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const size = seconds[unit ?? ""];
  if (count === undefined || size === undefined)
    throw new UsageError(`"${text}" is not a duration: write 90s, 15m, 12h or 30d`);
  return Number(count) * size;
}
