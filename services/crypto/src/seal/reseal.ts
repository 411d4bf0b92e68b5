import { zeroing } from "@sallyport/proto/keyring";
import { openEnvelope, sealEnvelope } from "../envelope.ts";
import type { ProjectKey } from "../project-key.ts";
import type { VerifiedRollback } from "./verify.ts";

/**
 * Opens the envelope of a former version and seals its value into that of the next, under a new
 * data key. Throws EnvelopeError when the envelope is not that version's.
 *
 * Security: the envelope opens only under the binding that the user signed, so another envelope
 * gives nothing; and nothing but the new envelope leaves this function.
 */
export async function reseal(
  { from, to }: VerifiedRollback,
  envelope: Uint8Array,
  keys: { readonly former: ProjectKey; readonly current: ProjectKey },
): Promise<Uint8Array> {
  const { kind, plaintext } = openEnvelope(envelope, from, keys.former);
  return zeroing(plaintext, (opened) => sealEnvelope(opened, kind, to, keys.current));
}
