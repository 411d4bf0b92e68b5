export { AlreadyRunningError } from "./claim.ts";
export { UnreachableDirectoryError } from "./account.ts";
export { type Postgres, type PostgresOptions, startPostgres } from "./postgres.ts";
export { type Redis, RedisMissingError, type RedisOptions, startRedis } from "./redis.ts";
export type { RedisUser } from "./redis-config.ts";
