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
