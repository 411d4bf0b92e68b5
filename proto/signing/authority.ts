import { FormatError } from "./format-error.ts";

const authority =
  /^(?<host>[a-z0-9_](?:[a-z0-9._-]{0,252})|\[[0-9a-f:.]{2,45}\])(?::(?<port>[1-9][0-9]{0,4}))?$/;

/**
 * Normalises an authority for `@authority` (RFC 9421 §2.2.3, SIGNING §2): ASCII lower case, the
 * default port 443 dropped. Throws FormatError for anything that is not a host with an optional
 * port, user information included.
 */
export function normaliseAuthority(text: string): string {
  const { host, port } =
    authority.exec(text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase()))?.groups ?? {};
  if (host === undefined || Number(port ?? 1) > 65_535)
    throw new FormatError("the authority is not a host and port");
  return port === undefined || port === "443" ? host : `${host}:${port}`;
}
