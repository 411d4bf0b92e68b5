import { randomInt } from "node:crypto";

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** A random value of so many letters and digits, each equally likely: 5.95 bits a character. */
export function generateValue(length: number): Uint8Array {
  return Buffer.from(
    Array.from({ length }, () => letters[randomInt(letters.length)] ?? "").join(""),
  );
}
