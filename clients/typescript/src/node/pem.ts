const block = /-----BEGIN (?<label>[A-Z0-9 ]+)-----[^-]+-----END \k<label>-----/g;

/**
 * Returns the PEM blocks of a text, each on its own lines: OpenSSL stops at a block that is
 * followed by another on the same line, as after concatenating a file without a final newline. A
 * text without any block is returned unchanged.
 */
export function separatePem(text: string): string {
  const blocks = text.match(block);
  return blocks === null ? text : `${blocks.join("\n")}\n`;
}
