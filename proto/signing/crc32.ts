const polynomial = 0xedb88320;

/**
 * CRC-32 as in zip and PNG, of ASCII text, as 8 lower-case hexadecimal digits. It detects typing
 * errors, not forgeries.
 */
export function crc32(text: string): string {
  let remainder = 0xffffffff;
  for (const byte of new TextEncoder().encode(text)) {
    remainder ^= byte;
    for (let bit = 0; bit < 8; bit += 1)
      remainder = (remainder >>> 1) ^ (remainder & 1 ? polynomial : 0);
  }
  return ((remainder ^ 0xffffffff) >>> 0).toString(16).padStart(8, "0");
}
