import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * One ACL user: `keys` are patterns it may touch, `commands` are ACL rules such as "+set" or
 * "+@read".
 */
export type RedisUser = {
  readonly name: string;
  readonly password: string;
  readonly keys: readonly string[];
  readonly commands: readonly string[];
};

/** The contents of a configuration file. */
export type RedisConfig = {
  readonly home: string;
  /** The folder that the server may write. */
  readonly data: string;
  readonly socketPath: string;
  readonly users: readonly RedisUser[];
  readonly appendOnly: boolean;
};

/**
 * Writes redis.conf and users.acl (0600, passwords as SHA-256 only) and returns the path of
 * redis.conf.
 */
export function writeRedisConfig(config: RedisConfig): string {
  const { home, data, socketPath, users, appendOnly } = config;
  const [aclFile, configFile] = [join(home, "users.acl"), join(home, "redis.conf")];
  const acl = ["user default off resetkeys resetchannels -@all", ...users.map(aclLine)];
  const settings = [
    "port 0",
    `unixsocket "${socketPath}"`,
    // Its folder says who may reach it.
    "unixsocketperm 770",
    `dir "${data}"`,
    `pidfile "${join(data, "redis.pid")}"`,
    `aclfile "${aclFile}"`,
    `appendonly ${appendOnly ? "yes" : "no"}`,
    'save ""',
    // Data that a gateway stores must stay, also when memory is full: it refuses another
    // policy.
    "maxmemory-policy noeviction",
    "daemonize no",
  ];
  writeFileSync(aclFile, `${acl.join("\n")}\n`, { mode: 0o600 });
  writeFileSync(configFile, `${settings.join("\n")}\n`, { mode: 0o600 });
  return configFile;
}

function aclLine({ name, password, keys, commands }: RedisUser): string {
  const hash = createHash("sha256").update(password).digest("hex");
  const patterns = keys.map((pattern) => `~${pattern}`);
  return [
    "user",
    name,
    "on",
    `#${hash}`,
    "resetkeys",
    ...patterns,
    "resetchannels",
    "-@all",
    ...commands,
  ].join(" ");
}
