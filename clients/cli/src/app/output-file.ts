import { SallyportError } from "@sallyport/client/error";
import { writePrivateFile } from "@sallyport/client/private-file";
import { CliError, UsageError } from "./failure.ts";

/**
 * Writes what holds secrets to a file: mode 0600, complete or not at all, never through a link and
 * never over a device, a FIFO or a socket. Throws OUTPUT_FAILED; UsageError for "-".
 */
export async function saveOutput(path: string, content: string | Uint8Array): Promise<void> {
  if (path === "-")
    throw new UsageError("- is no file", "omit --output to write to standard output");
  try {
    await writePrivateFile(path, content);
  } catch (error) {
    const why =
      error instanceof SallyportError
        ? error.message
        : `${path} cannot be written (${codeOf(error)})`;
    throw new CliError("OUTPUT_FAILED", why, { cause: error });
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
