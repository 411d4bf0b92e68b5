export { type Database, type DatabaseOptions, type Tx, openDatabase } from "./database.ts";
export { isUniqueViolation } from "./errors.ts";
export { type MigrateOptions, migrate } from "./migrate.ts";
export { type Session, type SessionOptions, openSession } from "./session.ts";
