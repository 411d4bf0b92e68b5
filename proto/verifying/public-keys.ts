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
import { type Curve, type PointFault, pointFaultOf } from "../signing/index.ts";
import type { FieldViolation } from "./validate.ts";

type GivenKeys = Readonly<Record<string, readonly [Curve, Uint8Array | undefined]>>;

/**
 * The keys in a message that its sender chose, by field. Every public request with such a key is
 * listed here.
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
  keysIn(EnrollRequestSchema, ({ admission, machinePublicKey }) => ({
    "token.public_key": ["ed25519", admission.value?.publicKey],
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
 * Finds the first key of a message that no honest client makes: one of small order, under which a
 * shared secret is predictable and anybody can make valid signatures, or in a non-canonical
 * encoding (SIGNING §5.5). Undefined when there is none. Security: otherwise a key to which nothing
 * can be sealed would fail only behind the gateway and look like a fault of ours.
 */
export function badKeyIn<D extends DescMessage>(
  { typeName }: D,
  message: MessageShape<D>,
): FieldViolation | undefined {
  const given = keysOf.get(typeName)?.(message as never) ?? {};
  for (const [field, [curve, key]] of Object.entries(given)) {
    const fault = key && pointFaultOf(curve, key);
    if (fault) return { field, description: descriptions[fault] };
  }
  return undefined;
}

const descriptions: Readonly<Record<PointFault, string>> = {
  "small order": "is a key of small order: make a new one",
  "not canonical": "is not in the one encoding that a key has: make a new one",
};
