import type { Device } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { type ValueOf, nullable, object, text, time } from "../definition/shape.ts";
import { iso } from "./timestamp.ts";
import { momentOf } from "./moment.ts";

/** The keys of a device key as --json shows it. */
export const deviceKeys = {
  keyId: text("the keyid of its requests, and how it is named"),
  createdAt: time("when the key was enrolled"),
  expiresAt: time("when it stops working"),
  lastSeenAt: nullable(time("when it last signed a request; null before the first")),
  lastSourceIp: text("the address of that request, as the gateway saw it; empty before the first"),
  client: text("the program that it then said it was; not proven"),
};

/** A device key as --json shows it. */
export const deviceShape = object(deviceKeys);

/** A device key. */
export type PlainDevice = ValueOf<typeof deviceShape>;

/** A device key as --json shows it, from what the server says. */
export function plainDevice(device: Device): PlainDevice {
  const { keyId, lastSourceIp, client } = device;
  return {
    keyId,
    createdAt: iso(device.createdAt),
    expiresAt: iso(device.expiresAt),
    lastSeenAt: momentOf(device.lastSeenAt),
    lastSourceIp,
    client,
  };
}
