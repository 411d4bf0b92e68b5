import { createHash } from "node:crypto";
import { type ClientConfig, TypeOverrides, types } from "pg";

/** Which database, as whom, and under which name the connection shows in pg_stat_activity. */
export type ConnectionOptions = {
  /** postgres://user:password@host:port/database; sockets as ?host=/folder. */
  readonly url: string;
  readonly applicationName: string;
  /** The server's settings for these connections, by name; names and values without spaces. */
  readonly settings?: Readonly<Record<string, string>>;
};

/** Values for the parameters of a statement. */
export type Values = readonly unknown[];

const connectMs = 3_000;
/**
 * The time that a statement may run by default, in milliseconds: less than the default deadline of
 * a call.
 */
export const defaultStatementMs = 4_000;

/**
 * Returns the driver's settings. bytea is a Buffer, timestamptz a Date, bigint (and so count(*)) a
 * BigInt: cast to int in SQL where a number is wanted. A statementMs of 0 means no limit.
 */
export function clientConfig(
  { url, applicationName, settings = {} }: ConnectionOptions,
  statementMs = defaultStatementMs,
): ClientConfig {
  const parsers = new TypeOverrides();
  parsers.setTypeParser(types.builtins.INT8, BigInt);
  return {
    connectionString: url,
    application_name: applicationName,
    options: Object.entries(settings)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(" "),
    types: parsers,
    connectionTimeoutMillis: connectMs,
    keepAlive: true,
    ...(statementMs === 0
      ? {}
      : {
          statement_timeout: statementMs,
          // When even the server's timeout does not arrive, the connection is dead.
          query_timeout: statementMs + 1_000,
          idle_in_transaction_session_timeout: 2 * statementMs,
        }),
  };
}

const names = new Map<string, string>();

/**
 * Returns a statement under a name of its own, so that each connection prepares it once. Only for
 * texts that are part of the program: a text made per call would be kept for ever.
 */
export function prepared(
  text: string,
  values: Values,
): { name: string; text: string; values: unknown[] } {
  let name = names.get(text);
  if (name === undefined) {
    name = createHash("sha256").update(text).digest("hex").slice(0, 32);
    names.set(text, name);
  }
  return { name, text, values: [...values] };
}
