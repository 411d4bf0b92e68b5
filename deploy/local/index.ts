/**
 * A whole deployment on one machine, for a try-out and for the tests: real Postgres and Redis, the
 * key ceremony and the six processes. It promises that a start resumes what an earlier one began,
 * that started by root each process runs as a user of its own, and that everything stops together.
 * It must never replace a key, an authority or a database that exists or existed, and it does not
 * restart what ends: that is a service manager's task.
 */

export { type CertificateAuthority, createCa } from "./ceremony/authority.ts";
export { renewCertificates } from "./ceremony/certificates.ts";
export { type Child, startChild } from "./start/child.ts";
export { AlreadyRunningError } from "./data/claim.ts";
export {
  type Account,
  defaultUidBase,
  processAccounts,
  UnreachableDirectoryError,
} from "./host/account.ts";
export {
  type CertificateFiles,
  type EdgeCertificateOptions,
  issueEdgeCertificate,
  issuePeerCertificate,
  type PeerCertificateOptions,
} from "./ceremony/pki.ts";
export { type Postgres, type PostgresOptions, startPostgres } from "./servers/postgres.ts";
export { type Redis, RedisMissingError, type RedisOptions, startRedis } from "./servers/redis.ts";
export type { RedisUser } from "./servers/redis-config.ts";
export {
  type DatabaseOwner,
  databaseOwners,
  type Process,
  processes,
  services,
  trustDomain,
} from "./data/layout.ts";
export { metricsPorts, settingsOf, type Tracing } from "./start/settings.ts";
export { freePort } from "./start/ports.ts";
export { type Server, type System, type SystemOptions, startSystem } from "./start/system.ts";
