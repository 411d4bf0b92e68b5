/** The status by which policy admits a machine. Revoked and expired are permanent. */
export type Standing = "active" | "disabled" | "revoked" | "expired";

/**
 * Says whether a machine of that standing never comes back, and so may be given nothing any more.
 */
export function isEnded(standing: Standing): boolean {
  return standing === "revoked" || standing === "expired";
}

/**
 * What a machine's standing becomes when it is told to be `told`; undefined when it would come back
 * from its end.
 */
export function standingAfter(now: Standing, told: Standing): Standing | undefined {
  if (!isEnded(now)) return told;
  if (!isEnded(told)) return undefined;
  return now === "revoked" ? now : told;
}
