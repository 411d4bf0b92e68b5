/** The answer to one call that revokes a token. */
export type Revocation<T> = {
  readonly token?: T | undefined;
  readonly machinesRevoked: number;
  readonly machinesRemaining: number;
};

/**
 * Revokes a token until none of its machines is left: one call ends so many of them. Says how far
 * it came after each call but the last, and when one fails.
 */
export async function revokeAll<T>(
  call: () => Promise<Revocation<T>>,
  say: (text: string) => void,
): Promise<{ readonly token: T | undefined; readonly revoked: number }> {
  for (let revoked = 0; ;) {
    const answer = await call().catch((error: unknown) => {
      if (revoked > 0) say(`${revoked} machines were ended; run it again to go on`);
      throw error;
    });
    revoked += answer.machinesRevoked;
    if (answer.machinesRemaining === 0) return { token: answer.token, revoked };
    say(`ended ${revoked} machines, ${answer.machinesRemaining} are left`);
  }
}
