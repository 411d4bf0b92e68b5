import { isIP } from "node:net";
import { rangesHave } from "@sallyport/proto/address";
import { SallyportError } from "../../core/sallyport-error.ts";

/** A proxy that opens tunnels with HTTP CONNECT. */
export type ForwardProxy = {
  /** Its address, without user and password. */
  readonly url: URL;
  /** The value of proxy-authorization, where the variable had a user. */
  readonly authorization: string | undefined;
  /** The variable that names it. */
  readonly variable: string;
};

type Environment = Readonly<Record<string, string | undefined>>;

// Loopback addresses cannot be reached through a proxy on another computer.
const ownAddresses = "localhost,127.0.0.0/8,::1";

/**
 * Returns the proxy that an environment names for an https address: `https_proxy`, else
 * `HTTPS_PROXY`, unless `no_proxy`, else `NO_PROXY`, has the address. Its entries are separated by
 * commas or spaces: `*` for all, a name for itself and its subdomains, `.domain` or `*.domain` for
 * the subdomains only, an IP address, a range as `10.0.0.0/8`, each but the first and the last also
 * with `:port`. `localhost` and the loopback addresses are among them, unless the variable is set
 * to nothing. Throws UNREACHABLE for a proxy without an http or https address.
 */
export function forwardProxyOf(url: URL, env: Environment): ForwardProxy | undefined {
  if (url.protocol !== "https:") return undefined;
  const variable = ["https_proxy", "HTTPS_PROXY"].find((name) => env[name]);
  const value = variable === undefined ? undefined : env[variable]?.trim();
  if (variable === undefined || !value) return undefined;
  const listed = env["no_proxy"] ?? env["NO_PROXY"];
  const excepted = listed === "" ? "" : `${listed ?? ""},${ownAddresses}`;
  const target = { host: bare(url.hostname), port: url.port || "443" };
  if (excepted.split(/[\s,]+/).some((entry) => covers(entry.toLowerCase(), target)))
    return undefined;
  return { ...parsed(value, variable), variable };
}

function parsed(value: string, variable: string): Omit<ForwardProxy, "variable"> {
  const url = URL.parse(value.includes("://") ? value : `http://${value}`);
  // Security: the value may hold a password, and is not shown.
  if (!url || !["http:", "https:"].includes(url.protocol))
    throw new SallyportError(
      "UNREACHABLE",
      `${variable} is not the address of an http or https proxy`,
      {
        metadata: { cause: "PROXY_ADDRESS" },
      },
    );
  const { username, password } = url;
  url.username = "";
  url.password = "";
  if (username === "") return { url, authorization: undefined };
  const credentials = `${decoded(username)}:${decoded(password)}`;
  return { url, authorization: `Basic ${Buffer.from(credentials).toString("base64")}` };
}

// A percent sign that begins no escape is left as it is.
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

type Target = { readonly host: string; readonly port: string };

function covers(entry: string, { host, port }: Target): boolean {
  if (entry === "*") return true;
  if (entry.includes("/")) return rangesHave([entry])(host);
  const { name, onlyPort } = splitPort(entry);
  if (name === "" || (onlyPort !== undefined && onlyPort !== port)) return false;
  if (isIP(host) !== 0) return rangesHave([name])(host);
  const below = name.replace(/^\*?\./, "");
  return (host === name && below === name) || host.endsWith(`.${below}`);
}

function splitPort(entry: string): {
  readonly name: string;
  readonly onlyPort: string | undefined;
} {
  if (isIP(entry) === 6) return { name: entry, onlyPort: undefined };
  const [, name = "", onlyPort] = /^(\[.*\]|[^:]*)(?::(\d+))?$/.exec(entry) ?? [];
  return { name: bare(name), onlyPort };
}

function bare(host: string): string {
  return host.replace(/^\[|\]$/g, "").replace(/\.$/, "");
}
