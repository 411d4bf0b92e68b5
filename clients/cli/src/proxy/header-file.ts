import { unlink } from "node:fs/promises";
import { join } from "node:path";
import { writePrivateFile } from "@sallyport/client/private-file";
import { secretHeader } from "./secret.ts";

/** A file with the header that carries a port's secret, for `-H @FILE`. It goes with the proxy. */
export type HeaderFile = AsyncDisposable & { readonly path: string };

/** Writes it, with mode 0600, into a folder that is this user's alone. */
export async function keepHeader(folder: string, url: string, secret: string): Promise<HeaderFile> {
  const path = join(folder, `proxy-${new URL(url).port}.header`);
  await writePrivateFile(path, `${secretHeader}: ${secret}\n`);
  return {
    path,
    async [Symbol.asyncDispose]() {
      await unlink(path).catch(() => undefined);
    },
  };
}
