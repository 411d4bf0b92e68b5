// Each with its size in seconds, and from how many on it is used: 59 min 40 s is 1 h, not 60 min.
const units = [
  ["d", 86_400, 84_600],
  ["h", 3600, 3570],
  ["min", 60, 59.5],
] as const;

/** A time as people say it: "in 3 h", "2 d ago", "in 40 s", "now"; "never" for none. */
export function relativeTime(rfc3339: string | null, nowMs: number = Date.now()): string {
  if (rfc3339 === null || rfc3339 === "") return "never";
  const seconds = Math.round((Date.parse(rfc3339) - nowMs) / 1000);
  if (Number.isNaN(seconds)) return rfc3339;
  if (seconds === 0) return "now";
  const text = durationText(Math.abs(seconds));
  return seconds >= 0 ? `in ${text}` : `${text} ago`;
}

/** A number of seconds in the largest unit that it fills when rounded, such as "3 h". */
export function durationText(seconds: number): string {
  const [name, size] = units.find(([, , from]) => seconds >= from) ?? ["s", 1];
  return `${Math.round(seconds / size)} ${name}`;
}

/**
 * A moment to the second with how long ago it was, such as "2027-03-14 15:09:26 UTC (2 h ago)";
 * "never" for none.
 */
export function momentText(rfc3339: string | null, nowMs: number = Date.now()): string {
  if (rfc3339 === null || rfc3339 === "") return "never";
  return `${rfc3339.slice(0, 19).replace("T", " ")} UTC (${relativeTime(rfc3339, nowMs)})`;
}
