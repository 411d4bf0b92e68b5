/**
 * Imported first by each process: from then on it connects to its peers, database, Redis and
 * collector, and to nothing else. Node's permission model allows the network as a whole or not at
 * all.
 *
 * Security: this holds for everything that uses Node's own modules, such as a dependency with an
 * agenda or a URL that a caller made up. Native code, and code that was written to get around it,
 * is for the firewall.
 */
import dgram from "node:dgram";
import dns from "node:dns";
import { syncBuiltinESMExports } from "node:module";
import { Socket, isIP } from "node:net";
import { posix } from "node:path";
import { type Destinations, plainHost, readDestinations } from "./destinations.ts";

/** Says that a process tried to reach what its settings do not name. */
export class EgressError extends Error {
  override readonly name = "EgressError";
  readonly code = "ERR_SALLYPORT_EGRESS";
}

const allowed = readDestinations(process.env);

guardSockets(allowed);
guardNames(allowed);
denyDatagrams();
syncBuiltinESMExports();

type Target = { readonly host?: unknown; readonly port?: unknown; readonly path?: unknown };

function guardSockets({ endpoints, paths }: Destinations): void {
  // eslint-disable-next-line typescript/unbound-method -- called with its socket below
  const connect = Socket.prototype.connect as (...args: readonly unknown[]) => Socket;
  const guarded = function guarded(this: Socket, ...args: unknown[]): Socket {
    const { target, callback } = targetOf(args);
    const destination = destinationOf(target);
    const isAllowed =
      "path" in destination
        ? paths.has(posix.normalize(destination.path))
        : endpoints.has(`${plainHost(destination.host)}:${destination.port}`);
    if (!isAllowed)
      throw new EgressError(
        `a connection to ${Object.values(destination).join(":")} is not configured`,
      );
    // What was compared is what is connected to: texts, and a name that Node alone resolves.
    const options = { ...target, ...destination, lookup: undefined };
    return Reflect.apply(connect, this, callback === undefined ? [options] : [options, callback]);
  };
  Object.defineProperty(Socket.prototype, "connect", {
    value: guarded,
    writable: false,
    configurable: false,
  });
}

function destinationOf({
  host,
  port,
  path,
}: Target): { path: string } | { host: string; port: string } {
  if (path !== undefined && path !== null) return { path: textOf(path) };
  return {
    host: host === undefined || host === null ? "localhost" : textOf(host),
    port: textOf(port),
  };
}

/** Only what cannot be another text when it is read again. */
function textOf(value: unknown): string {
  if (typeof value !== "string" && typeof value !== "number")
    throw new EgressError("it is no destination");
  return String(value);
}

/**
 * The ways to call connect(): options, (port, host), (path), or the array that Node makes of them.
 */
function targetOf(args: readonly unknown[]): { target: Target; callback: unknown } {
  const [first, second] = args;
  if (Array.isArray(first)) return targetOf(first);
  const callback = args.findLast((argument) => typeof argument === "function");
  if (typeof first === "object" && first !== null)
    return { target: { ...(first as Target) }, callback };
  if (typeof first === "string" && !/^\d+$/.test(first))
    return { target: { path: first }, callback };
  const host = typeof second === "string" ? { host: second } : {};
  return { target: { port: Number(first), ...host }, callback };
}

// A name that is looked up is sent to the server that answers for it.
function guardNames({ hosts }: Destinations): void {
  for (const module of [dns, dns.promises] as Record<string, unknown>[]) {
    for (const name of Object.keys(module).filter((key) =>
      /^(resolve|reverse|lookupService|Resolver)/.test(key),
    ))
      module[name] = refuse;
    const lookup = module["lookup"] as (host: string, ...rest: unknown[]) => unknown;
    module["lookup"] = (host: string, ...rest: unknown[]) =>
      isLocal(host) || hosts.has(plainHost(host)) ? lookup(host, ...rest) : refuse();
  }
}

/**
 * Says whether a host can be listened at: an address is not sent anywhere to be looked up, nor is
 * the own machine's name.
 */
function isLocal(host: unknown): boolean {
  return typeof host !== "string" || isIP(host) !== 0 || host === "localhost";
}

function denyDatagrams(): void {
  for (const name of ["bind", "connect", "send"] as const)
    Object.defineProperty(dgram.Socket.prototype, name, {
      value: refuse,
      writable: false,
      configurable: false,
    });
}

function refuse(): never {
  throw new EgressError("datagrams and look-ups of other names are not configured");
}
