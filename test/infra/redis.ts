import { inject } from "vitest";

/** Returns what ioredis connects with; all test files share the server, so each uses keys of its own. */
export function testRedisUrl(): string {
  return inject("redisUrl");
}
