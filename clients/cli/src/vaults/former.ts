import {
  type Identity,
  SallyportError,
  loadIdentity,
  openSallyport,
  toSallyportError,
} from "@sallyport/client";
import type { Context } from "../app/context.ts";

/** The properties that an identity needs to be kept instead of a new one. */
export type Wanted = {
  readonly url: string;
  readonly ca?: string;
  readonly tokenId: string;
  readonly name: string | undefined;
  readonly leftSeconds: number;
};

/** The identity in a file; undefined when there is none that is whole. */
export async function formerIdentity(path: string): Promise<Identity | undefined> {
  return loadIdentity(path).catch((error: unknown) => {
    if (error instanceof SallyportError) return undefined;
    throw error;
  });
}

/**
 * Why an identity is not to be kept; null when it is. The file's own contents come first, then the
 * server is asked, since only it knows whether the machine still lives. Throws when the server does
 * not answer: then nothing could be enrolled either.
 */
export async function whyNotKept(
  { session }: Pick<Context, "session">,
  former: Identity | undefined,
  wanted: Wanted,
): Promise<string | null> {
  const told = former ? differenceOf(former, wanted) : "there was no identity";
  if (told !== null || !former) return told;
  return session.patiently(new URL(former.url).host, async (options) => {
    const client = openSallyport(former, "connect", options);
    try {
      await client.services.users.whoAmI({});
      return null;
    } catch (error) {
      return endOf(toSallyportError(error));
    } finally {
      client.close();
    }
  });
}

const ended: Readonly<Record<string, string>> = {
  MACHINE_EXPIRED: "the lifetime of the former machine was over",
  MACHINE_DISABLED: "the former machine was disabled or revoked",
  REQUEST_REJECTED: "the server does not know the former machine",
};

function endOf(error: SallyportError): string {
  const why = Object.hasOwn(ended, error.reason) ? ended[error.reason] : undefined;
  if (why === undefined) throw error;
  return why;
}

// A token's scope never changes, so the same token is the same scope.
function differenceOf(
  former: Identity,
  { url, ca, tokenId, name, leftSeconds }: Wanted,
): string | null {
  if (former.kind !== "machine") return "it was a person's identity";
  if (former.tokenId !== tokenId) return "the identity was of another token";
  if (former.url !== url || former.ca !== ca)
    return "the identity was of another gateway, or of another CA";
  if (name !== undefined && former.name !== name) return `the machine was called ${former.name}`;
  const leftMs = Date.parse(former.expiresAt) - Date.now();
  return leftMs < leftSeconds * 1000 ? "the former machine's time was nearly over" : null;
}
