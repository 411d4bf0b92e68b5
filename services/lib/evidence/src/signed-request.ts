import { createRequestVerifier } from "@sallyport/proto/verifying";
import { verifyEd25519 } from "./ed25519.ts";

/**
 * Verifies signed requests by libsodium's verdicts (SIGNING §7). Throws EvidenceError naming the
 * step.
 */
export const { verifyHead, verifySignedRequest } = createRequestVerifier(verifyEd25519);
