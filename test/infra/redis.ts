import { inject } from "vitest";

/**
 * Returns `unix:///path.sock?username=…&password=…`; all test files share the server, so each uses
 * keys of its own.
 */
export function testRedisUrl(): string {
  return inject("redisUrl");
}
