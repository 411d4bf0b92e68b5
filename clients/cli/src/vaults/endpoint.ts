import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Endpoint } from "@sallyport/client";
import { type Identity, reachedAt } from "@sallyport/client/identity";
import { UsageError } from "../app/failure.ts";

/**
 * The gateway as SALLYPORT_URL and SALLYPORT_CA name it, for what makes an identity; an identity
 * then keeps both. Throws UsageError.
 */
export async function endpointOf(env: NodeJS.ProcessEnv): Promise<Endpoint> {
  const { url, ca } = await namedEndpoint(env);
  if (url !== undefined) return { url, ...(ca === undefined ? {} : { ca }) };
  throw new UsageError(
    "SALLYPORT_URL is not set",
    "set it to the gateway's address, such as https://sallyport.example:8443",
  );
}

/** As much of an endpoint as the environment names. Throws UsageError. */
export async function namedEndpoint(env: NodeJS.ProcessEnv): Promise<Partial<Endpoint>> {
  const { SALLYPORT_URL: url, SALLYPORT_CA: caFile } = env;
  return {
    ...(url ? { url: originOf(url) } : {}),
    ...(caFile ? { ca: await readCa(caFile) } : {}),
  };
}

/**
 * An identity where the environment says that its gateway is, so that a gateway that moved needs no
 * new identity. Reports which address is used instead of which. Throws UsageError.
 *
 * Security: an address is no proof. The server there has to show the keyset of the root that
 * the identity has pinned, and can give out nothing that its owners did not sign or seal; and only
 * https is taken.
 */
export async function atNamedEndpoint(
  identity: Identity,
  env: NodeJS.ProcessEnv,
  onMoved: (text: string) => void = () => undefined,
): Promise<Identity> {
  const named = await namedEndpoint(env);
  const { url = identity.url, ca } = named;
  if (url === identity.url && (ca === undefined || ca === identity.ca)) return identity;
  if (url !== identity.url) onMoved(`going to ${url} of SALLYPORT_URL, instead of ${identity.url}`);
  return reachedAt(identity, named);
}

function originOf(text: string): string {
  const url = URL.parse(text);
  if (url?.protocol === "http:")
    throw new UsageError(
      `SALLYPORT_URL is not an address that is taken: ${text}`,
      "write it as https://host:port: nothing is sent in the clear",
    );
  if (
    url?.protocol !== "https:" ||
    url.pathname !== "/" ||
    url.search !== "" ||
    url.username !== ""
  )
    throw new UsageError(
      `SALLYPORT_URL is not an address: ${text}`,
      "write it as https://host or https://host:port, with nothing after it",
    );
  return url.origin;
}

const pemBlock = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

async function readCa(file: string): Promise<string> {
  const bytes = await readFile(file).catch(() => {
    throw new UsageError(
      `SALLYPORT_CA names ${file}, which cannot be read`,
      "correct the path, or unset it",
    );
  });
  const text = bytes.toString("utf8");
  // Else it may be DER.
  const blocks: readonly (string | Buffer)[] = text.match(pemBlock) ?? [bytes];
  try {
    return blocks.map((block) => new X509Certificate(block).toString()).join("");
  } catch {
    throw new UsageError(
      `SALLYPORT_CA names ${file}, which holds no certificate`,
      "name the file of the CA's certificate: it begins with -----BEGIN CERTIFICATE-----",
    );
  }
}
