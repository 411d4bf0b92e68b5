/**
 * Pools, transactions, one-connection sessions and migrations over Postgres. It exists so that
 * every service treats a database that is away alike: as DEPENDENCY_UNAVAILABLE, never as a
 * refusal. It promises that a transaction either commits or rolls back, and that a migration runs
 * once and unchanged. It must never build SQL from values; statements stand in the stores of the
 * services.
 */
export { type Database, type DatabaseOptions, type Tx, openDatabase } from "./database.ts";
export { isUniqueViolation } from "./errors.ts";
export { type MigrateOptions, migrate } from "./migrate.ts";
export { type Session, type SessionOptions, openSession } from "./session.ts";
