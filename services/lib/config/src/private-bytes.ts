import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";

/**
 * The bytes of a file that holds keys. Throws, in words that continue "SALLYPORT_… names", for one
 * that everyone on the machine may open, that belongs to somebody else than this process or root,
 * or that is no plain file.
 *
 * Security: everything is asked of the open file, so that it cannot be another one than is read.
 */
export function readPrivateBytes(file: string): Uint8Array {
  // A FIFO would wait for a writer.
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = fstatSync(descriptor);
    if (!found.isFile()) throw new Error("names something that is no plain file");
    if ((found.mode & 0o007) !== 0)
      throw new Error(
        "names a key file that everyone on the machine may open: take that away with chmod o-rwx",
      );
    const me = process.getuid?.();
    if (me !== undefined && found.uid !== me && found.uid !== 0)
      throw new Error(`names a key file of another user: give it to this process with chown ${me}`);
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
