import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import { readAad, readInfo } from "@sallyport/proto/signing";
import sodium from "sodium-native";

const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

/** By how many bytes a sealed value is longer than its plaintext. */
export const hpkeOverheadBytes = 16;

/**
 * Seals the values of one reply to its recipient, in the order in which they will be opened
 * (SIGNING §9).
 */
export type ReplySealer = {
  readonly encapsulatedKey: Uint8Array;
  seal(secretId: string, version: number, plaintext: Uint8Array): Promise<Uint8Array<ArrayBuffer>>;
};

/**
 * Begins a sealed reply: one HPKE context, bound to the request. Rejects for a key to which nothing
 * can be sealed.
 */
export async function createReplySealer(
  recipient: Uint8Array,
  requestDigest: Uint8Array,
): Promise<ReplySealer> {
  const recipientPublicKey = await suite.kem.deserializePublicKey(recipient);
  const sender = await suite.createSenderContext({
    recipientPublicKey,
    info: readInfo(requestDigest),
  });
  return {
    encapsulatedKey: new Uint8Array(sender.enc),
    seal: async (secretId, version, plaintext) =>
      new Uint8Array(await sender.seal(plaintext, readAad(secretId, version))),
  };
}

/** Opens values that were sealed to one of our keys. */
export type SealingKey = {
  readonly publicKey: Uint8Array;
  /**
   * Opens a value; the caller zeroes it. Rejects when it was sealed to another key or with other
   * `info`.
   */
  open(info: Uint8Array, encapsulatedKey: Uint8Array, ciphertext: Uint8Array): Promise<Uint8Array>;
};

/** Makes a sealing key from its 32 private bytes, of which it keeps no reference. */
export async function createSealingKey(privateBytes: Uint8Array): Promise<SealingKey> {
  const publicKey = sealingPublicKeyOf(privateBytes);
  const recipientKey = {
    privateKey: await suite.kem.deserializePrivateKey(privateBytes),
    publicKey: await suite.kem.deserializePublicKey(publicKey),
  };
  return {
    publicKey,
    async open(info, enc, ciphertext) {
      const recipient = await suite.createRecipientContext({ recipientKey, enc, info });
      return new Uint8Array(await recipient.open(ciphertext));
    },
  };
}

/** The raw X25519 public key of 32 private bytes (RFC 7748 §5). */
export function sealingPublicKeyOf(privateBytes: Uint8Array): Uint8Array {
  const publicKey = Buffer.alloc(sodium.crypto_scalarmult_BYTES);
  sodium.crypto_scalarmult_base(
    publicKey,
    Buffer.from(privateBytes.buffer, privateBytes.byteOffset, privateBytes.length),
  );
  return new Uint8Array(publicKey);
}
