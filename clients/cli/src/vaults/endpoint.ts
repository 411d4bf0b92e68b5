import { readFile } from "node:fs/promises";
import type { Endpoint } from "@sallyport/client";
import { UsageError } from "../failure.ts";

/**
 * The gateway as SALLYPORT_URL and SALLYPORT_CA name it, for what makes an identity; an identity then keeps both.
 * Throws UsageError.
 */
export async function endpointOf(env: NodeJS.ProcessEnv): Promise<Endpoint> {
  const url = env["SALLYPORT_URL"];
  if (!url)
    throw new UsageError(
      "SALLYPORT_URL is not set",
      "set it to the gateway's address, such as https://sallyport.example:8443",
    );
  const caFile = env["SALLYPORT_CA"];
  if (!caFile) return { url: originOf(url) };
  const ca = await readFile(caFile, "utf8").catch(() => {
    throw new UsageError(
      `SALLYPORT_CA names ${caFile}, which cannot be read`,
      "correct the path, or unset it",
    );
  });
  return { url: originOf(url), ca };
}

function originOf(text: string): string {
  const url = URL.parse(text);
  if (url?.protocol !== "https:" || url.pathname !== "/" || url.search !== "" || url.username !== "")
    throw new UsageError(
      `SALLYPORT_URL is not an address: ${text}`,
      "write it as https://host or https://host:port, with nothing after it",
    );
  return url.origin;
}
