import { durationText } from "../terminal/time.ts";

/** From when to when something is good, in Unix milliseconds. */
export type Life = { readonly fromMs: number; readonly untilMs: number };

const longestNearMs = 60 * 86_400_000;

/**
 * Tells whether the end is near: 60 days, or the last third of a life of months or hours, as public
 * authorities give it.
 */
export function isNearEnd({ fromMs, untilMs }: Life, nowMs = Date.now()): boolean {
  return untilMs - nowMs < Math.min(longestNearMs, (untilMs - fromMs) / 3);
}

/** The time that is left, such as "3 days". */
export function leftText({ untilMs }: Life, nowMs = Date.now()): string {
  return durationText(Math.round((untilMs - nowMs) / 1000));
}
