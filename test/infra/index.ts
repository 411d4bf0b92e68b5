export { createTestDatabase, type TestDatabase } from "./database.ts";
export { testRedisUrl } from "./redis.ts";
