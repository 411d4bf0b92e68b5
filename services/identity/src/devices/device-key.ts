/** How long a device key works: 90 days, in milliseconds. */
export const deviceKeyLifetimeMs = 90 * 86_400_000;

/** How long a key works on after it was renewed: 5 minutes, in milliseconds. */
export const renewedKeyMs = 5 * 60_000;

/** What a device key's life depends on. */
export type KeyLife = {
  readonly expiresAt: Date;
  readonly renewedAt: Date | null;
  /** When it was revoked, or its user removed. */
  readonly revokedAt: Date | null;
};

/**
 * Whether a key works: its holder is told the difference between one that was ended and one that
 * came to its end.
 */
export type KeyStanding = "active" | "expired" | "revoked";

/**
 * The instant from which a key that is not revoked does not work: its end, or minutes after it was
 * renewed.
 */
export function endOf({ expiresAt, renewedAt }: KeyLife): Date {
  if (!renewedAt) return expiresAt;
  return new Date(Math.min(expiresAt.getTime(), renewedAt.getTime() + renewedKeyMs));
}

/** Where a key stands at that time. */
export function standingOf(key: KeyLife, nowMs: number): KeyStanding {
  if (key.revokedAt) return "revoked";
  return nowMs < endOf(key).getTime() ? "active" : "expired";
}
