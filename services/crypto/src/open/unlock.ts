import { EvidenceError } from "@sallyport/evidence";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";
import { EnvelopeError, WrongKekError } from "@sallyport/proto/keyring";
import {
  type EnvelopeOutline,
  type PlaintextKind,
  openEnvelope,
  outlineEnvelope,
} from "../envelope.ts";
import { demand } from "../evidence.ts";
import { hpkeOverheadBytes } from "../hpke.ts";
import type { ProjectKeyCache } from "../project-key-cache.ts";
import type { ProjectKey } from "../project-key.ts";
import type { VerifiedRead, VerifiedSecret } from "./verify.ts";

/** The longest reply, in bytes: the contents and what each result takes beside them. */
export const maxReplyBytes = 3 * 1024 * 1024;

/**
 * The most that a secret takes in a reply beside its content: ids, name, version and its line in
 * the signed claims.
 */
const resultBytes = 512;

/**
 * A secret with its project key; everything that can be checked without opening the value holds.
 */
export type UnlockedSecret = VerifiedSecret & { readonly projectKey: ProjectKey };

/**
 * Unwraps the project keys and checks the envelopes' form and the reply's size, so that hardly
 * anything can fail once the read is recorded. The keys are zeroed with the stack. Throws
 * EvidenceError ("binding"), Failure TOO_LARGE.
 */
export async function unlock(
  read: VerifiedRead,
  projectKeys: ProjectKeyCache,
  held: DisposableStack,
): Promise<UnlockedSecret[]> {
  const outlined = await Promise.all(
    read.secrets.map(async (secret) => ({
      secret,
      outline: await orBinding(() => outlineEnvelope(secret.envelope)),
    })),
  );
  checkSize(
    read,
    outlined.map(({ outline }) => outline),
  );
  const unlocked: UnlockedSecret[] = [];
  for (const { secret, outline } of outlined) {
    const projectKey = held.use(
      await orBinding(() => projectKeys.get(secret, secret.wrappedProjectKey)),
    );
    demand(
      "binding",
      outline.generation === projectKey.generation,
      "envelope and project key are of different generations",
    );
    unlocked.push({ ...secret, projectKey });
  }
  return unlocked;
}

/** Opens a secret's envelope; the caller zeroes the plaintext. Throws EvidenceError ("binding"). */
export function openSecret(
  secret: UnlockedSecret,
): Promise<{ readonly kind: PlaintextKind; readonly plaintext: Uint8Array<ArrayBuffer> }> {
  return orBinding(() => openEnvelope(secret.envelope, secret, secret.projectKey));
}

async function orBinding<T>(open: () => T | Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof EnvelopeError || error instanceof WrongKekError)
      throw new EvidenceError(
        "binding",
        "an envelope or project key does not open where it is said to belong",
        error,
      );
    throw error;
  }
}

// Known before anything is opened: an envelope's length gives its plaintext's.
function checkSize(
  { permit, recipient }: VerifiedRead,
  outlines: readonly EnvelopeOutline[],
): void {
  const overhead = recipient ? hpkeOverheadBytes : 0;
  const contents = outlines.reduce((sum, { plaintextBytes }) => sum + plaintextBytes + overhead, 0);
  const size = contents + permit.secrets.length * resultBytes;
  if (size > maxReplyBytes) throw fail(Reason.TOO_LARGE, { limit_bytes: String(maxReplyBytes) });
}
