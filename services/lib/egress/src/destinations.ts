import { readFileSync } from "node:fs";
import { posix } from "node:path";

/** The destinations of a process: "host:port" of TCP, and paths of Unix sockets. */
export type Destinations = {
  readonly hosts: ReadonlySet<string>;
  readonly endpoints: ReadonlySet<string>;
  readonly paths: ReadonlySet<string>;
};

const defaultPorts: Readonly<Record<string, number>> = {
  "http:": 80,
  "https:": 443,
  "postgres:": 5432,
  "postgresql:": 5432,
  "redis:": 6379,
  "rediss:": 6379,
};

/**
 * Reads from a process's settings where its peers, its database, its Redis and its collector are:
 * every SALLYPORT_…_URL and the URL in every file that a SALLYPORT_…_URL_FILE names. Throws when
 * one cannot be read: nothing is allowed in doubt.
 */
export function readDestinations(env: NodeJS.ProcessEnv): Destinations {
  const urls = Object.entries(env).flatMap(([name, value = ""]) => {
    if (!name.startsWith("SALLYPORT_") || value === "") return [];
    if (name.endsWith("_URL")) return [value];
    return name.endsWith("_URL_FILE") ? [readFileSync(value, "utf8").trim()] : [];
  });
  const endpoints = new Set<string>();
  const hosts = new Set<string>();
  const paths = new Set<string>();
  for (const text of urls) {
    const url = new URL(text);
    const socket = socketOf(url);
    if (socket !== undefined) {
      paths.add(posix.normalize(socket));
      continue;
    }
    const host = plainHost(url.hostname);
    hosts.add(host);
    endpoints.add(`${host}:${url.port === "" ? defaultPorts[url.protocol] : url.port}`);
  }
  return { hosts, endpoints, paths };
}

/**
 * The host of a URL or option as it is compared: lower case, without an IPv6 address's brackets.
 */
export function plainHost(host: string): string {
  return host.toLowerCase().replace(/^\[(.*)\]$/, "$1");
}

// Postgres names a socket's folder as `host` and its number as `port`; Redis has the path.
function socketOf(url: URL): string | undefined {
  if (url.protocol === "unix:") return decodeURI(url.pathname);
  const folder = url.searchParams.get("host");
  if (!folder?.startsWith("/")) return undefined;
  return `${folder}/.s.PGSQL.${url.searchParams.get("port") ?? "5432"}`;
}
