import { newIdBody } from "@sallyport/proto/ids";

/** The lifetime of a device key: 90 days, in milliseconds. */
export const deviceKeyLifetimeMs = 90 * 86_400_000;

/** The time that a key works on after it was renewed: 5 minutes, in milliseconds. */
export const renewedKeyMs = 5 * 60_000;

/** The instants that a device key's life depends on. */
export type KeyLife = {
  readonly expiresAt: Date;
  readonly renewedAt: Date | null;
  /** The time of its revocation, or of the removal of its user. */
  readonly revokedAt: Date | null;
};

/**
 * The standing of a key. The answer to its holder distinguishes a revoked key from an expired one.
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

/** Returns the standing of a key at that time. */
export function standingOf(key: KeyLife, nowMs: number): KeyStanding {
  if (key.revokedAt) return "revoked";
  return nowMs < endOf(key).getTime() ? "active" : "expired";
}

/** A new keyid of a user: the user's id, and a second half as random as an id's (SIGNING §3). */
export function newKeyId(userId: string): string {
  return `${userId}.${newIdBody()}`;
}
