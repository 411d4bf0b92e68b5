import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { Code } from "@connectrpc/connect";
import type { ToolRequest } from "./exchange.ts";
import { ProxyRefusal } from "./refusal.ts";

/** The header in which a tool shows the secret of a port. */
export const secretHeader = "sallyport-proxy-secret";

/** Draws the secret of a port: 256 bits in base64url, good until the proxy stops. */
export function drawSecret(): string {
  return randomBytes(32).toString("base64url");
}

/**
 * Lets a request on that shows the secret, in the header or as the first part of its path, and
 * takes it out of the request, so that it goes no further. Throws `unauthenticated` without it.
 *
 * Security: every user of a computer reaches its ports, and so does every container that shares its
 * network. That a connection is this user's can only be asked of the kernel, whose tables say
 * nothing of a connection that was closed or come too late; so the secret decides.
 */
export function admit(request: ToolRequest, secret: string): ToolRequest {
  const { [secretHeader]: shown, ...headers } = request.headers;
  const [, first = "", path = ""] = /^\/([^/]+)(\/.*)$/.exec(request.path) ?? [];
  if (typeof shown === "string" && isSame(shown, secret)) return { ...request, headers };
  if (isSame(first, secret)) return { ...request, headers, path };
  throw new ProxyRefusal(
    Code.Unauthenticated,
    `a port wants its secret with every request: in the header ${secretHeader}, or before the path`,
  );
}

// Over hashes, which have one length: the time it takes reveals nothing of the secret.
function isSame(shown: string, secret: string): boolean {
  return timingSafeEqual(sha256(shown), sha256(secret));
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
