export { type CertificateAuthority, createCa } from "./authority.ts";
export { renewCertificates } from "./certificates.ts";
export { type Child, startChild } from "./child.ts";
export { AlreadyRunningError } from "./claim.ts";
export {
  type Account,
  defaultUidBase,
  processAccounts,
  UnreachableDirectoryError,
} from "./account.ts";
export {
  type CertificateFiles,
  type EdgeCertificateOptions,
  issueEdgeCertificate,
  issuePeerCertificate,
  type PeerCertificateOptions,
} from "./pki.ts";
export { type Postgres, type PostgresOptions, startPostgres } from "./postgres.ts";
export { type Redis, RedisMissingError, type RedisOptions, startRedis } from "./redis.ts";
export type { RedisUser } from "./redis-config.ts";
export {
  type DatabaseOwner,
  databaseOwners,
  type Process,
  processes,
  services,
  trustDomain,
} from "./layout.ts";
export { metricsPorts, settingsOf, type Tracing } from "./settings.ts";
export { type Server, type Wiring, direct } from "./wiring.ts";
export { freePort } from "./ports.ts";
export { type System, type SystemOptions, startSystem } from "./system.ts";
