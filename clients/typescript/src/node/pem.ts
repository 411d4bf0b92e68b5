const block = /-----BEGIN (?<label>[A-Z0-9 ]+)-----[^-]+-----END \k<label>-----/g;

/**
 * The PEM blocks of a text, each on lines of its own: OpenSSL stops at the first one that another
 * follows on the same line, as where a file without a line end at its end was joined to another. A
 * text without any comes back as it is.
 */
export function separatePem(text: string): string {
  const blocks = text.match(block);
  return blocks === null ? text : `${blocks.join("\n")}\n`;
}
