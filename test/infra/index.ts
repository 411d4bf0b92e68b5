export { createServiceDatabase, type ServiceTestDatabase } from "./database.ts";
export { fillLog, filledLog } from "./filled-log.ts";
export { createTestPki, testPeers, type TestPki } from "./pki.ts";
export { testRedisUrl } from "./redis.ts";
export { createSignedDeployment, newUser, type SigningUser } from "./signed-deployment.ts";
