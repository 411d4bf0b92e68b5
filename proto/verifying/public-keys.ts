import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { ReadSecretsRequestSchema } from "../gen/sallyport/gateway/v1/read_pb.ts";
import { EnrollRequestSchema } from "../gen/sallyport/identity/v1/enrollment_pb.ts";
import {
  RedeemLoginCodeRequestSchema,
  RenewDeviceRequestSchema,
} from "../gen/sallyport/identity/v1/user_pb.ts";
import {
  AddVersionRequestSchema,
  CreateSecretRequestSchema,
} from "../gen/sallyport/secrets/v1/secret_pb.ts";
import type { FieldViolation } from "./validate.ts";

type Curve = "x25519" | "ed25519";
type GivenKeys = Readonly<Record<string, readonly [Curve, Uint8Array | undefined]>>;

/**
 * The keys in a message that its sender chose, by field. Every public request that has one is here.
 */
const keysOf: ReadonlyMap<string, (message: never) => GivenKeys> = new Map([
  keysIn(ReadSecretsRequestSchema, ({ recipient }) => ({
    "recipient.public_key": ["x25519", recipient?.publicKey],
  })),
  keysIn(CreateSecretRequestSchema, ({ value }) => ({
    "value.encapsulated_key": ["x25519", value?.encapsulatedKey],
  })),
  keysIn(AddVersionRequestSchema, ({ value }) => ({
    "value.encapsulated_key": ["x25519", value?.encapsulatedKey],
  })),
  keysIn(EnrollRequestSchema, ({ tokenPublicKey, machinePublicKey }) => ({
    token_public_key: ["ed25519", tokenPublicKey],
    machine_public_key: ["ed25519", machinePublicKey],
  })),
  keysIn(RedeemLoginCodeRequestSchema, ({ codePublicKey, devicePublicKey }) => ({
    code_public_key: ["ed25519", codePublicKey],
    device_public_key: ["ed25519", devicePublicKey],
  })),
  keysIn(RenewDeviceRequestSchema, ({ newPublicKey }) => ({
    new_public_key: ["ed25519", newPublicKey],
  })),
]);

function keysIn<D extends DescMessage>(
  { typeName }: D,
  keys: (message: MessageShape<D>) => GivenKeys,
): [string, (message: never) => GivenKeys] {
  return [typeName, keys];
}

/**
 * Finds the first key of a message that no honest client makes: one of small order, under which
 * secrets are no secrets and signatures anybody's, or in another encoding than its own (SIGNING
 * §5.5). Undefined when there is none. Security: a key to which nothing can be sealed would else be
 * found behind the gateway, and look like a fault of ours.
 */
export function badKeyIn<D extends DescMessage>(
  { typeName }: D,
  message: MessageShape<D>,
): FieldViolation | undefined {
  const given = keysOf.get(typeName)?.(message as never) ?? {};
  for (const [field, [curve, key]] of Object.entries(given)) {
    const description = key && problemOf[curve](key);
    if (description) return { field, description };
  }
  return undefined;
}

const smallOrder = "is a key of small order: make a new one";
const notCanonical = "is not in the one encoding that a key has: make a new one";

// What is left of 2^255 - 19 in its 31 upper bytes; the lowest is then at least 0xed.
const topOfField = "ff".repeat(30) + "7f";

const problemOf: Readonly<Record<Curve, (key: Uint8Array) => string | undefined>> = {
  x25519: (key) => encodingProblem(Buffer.from(key), smallX25519),
  ed25519(key) {
    const y = Buffer.from(key);
    // The highest bit is the sign of x; with either sign these points are of small order, or no
    // encoding at all.
    y.writeUInt8(y.readUInt8(31) & 0x7f, 31);
    return encodingProblem(y, smallEd25519);
  },
};

function encodingProblem(coordinate: Buffer, small: ReadonlySet<string>): string | undefined {
  const hex = coordinate.toString("hex");
  if (small.has(hex)) return smallOrder;
  const isBelowField = coordinate.readUInt8(31) < 0x80 && !isAtLeastField(hex);
  return isBelowField ? undefined : notCanonical;
}

function isAtLeastField(hex: string): boolean {
  return hex.slice(2) === topOfField && hex.slice(0, 2) >= "ed";
}

const zero = "00".repeat(32);
const one = `01${"00".repeat(31)}`;
const minusOne = `ec${topOfField}`;

// RFC 7748 §6.1: the inputs whose product with any scalar is zero, in their canonical encoding.
const smallX25519: ReadonlySet<string> = new Set([
  zero,
  one,
  minusOne,
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
]);

// SIGNING §7: the y of the points of order 1, 2, 4 and 8.
const smallEd25519: ReadonlySet<string> = new Set([
  zero,
  one,
  minusOne,
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
]);
