import {
  loadIdentity,
  privateKeyOf,
  proveRenewal,
  rawPublicKey,
  saveIdentity,
} from "@sallyport/client";
import { defineCommand } from "../definition/define.ts";
import { object, text, time } from "../definition/shape.ts";
import { relativeTime } from "../terminal/time.ts";
import { iso } from "../views/timestamp.ts";
import { identityPathOf } from "../vaults/choose.ts";
import { identityFile } from "../vaults/folder.ts";
import { withPendingKey } from "../vaults/pending.ts";

/** `sallyport device renew`: replaces this computer's key. */
export const deviceRenew = defineCommand({
  description:
    "The identity file gets the new key; the old one works for 5 more minutes. The new key is " +
    "saved before it is sent: if the reply is lost, run this again within those 5 minutes to " +
    "complete the renewal with the same key.",
  args: {},
  options: {},
  examples: [
    ["sallyport device renew", "such as every month: a key that nobody renews works for 90 days"],
    ["sallyport device renew --vault staging", "the key of another vault"],
  ],
  json: object({
    keyId: text("the keyid of requests from now on"),
    expiresAt: time("when the new key stops working"),
    oldKeyId: text("the keyid before"),
    oldKeyEndsAt: time("when the old key stops working"),
    identity: text("the file that holds the new key"),
  }),
  // Asked again after a lost reply, the server answers the same for the same new key: so this may
  // be tried again.
  run: ({ context }) =>
    context.session.asUser(async (client, identity) => {
      const path =
        identityPathOf(context.choice) ?? identityFile(context.env, identity.vaultId, "user");
      const presentKey = rawPublicKey(privateKeyOf(Buffer.from(identity.seed, "base64")));
      return withPendingKey(path, pendingName(identity.keyId), {
        async ask(seed) {
          const proof = proveRenewal(identity.vaultId, presentKey, seed);
          const { keyId, keyExpiresAt, oldKeyEndsAt } =
            await client.services.users.renewDevice(proof);
          const renewed = { keyId, expiresAt: iso(keyExpiresAt) };
          const kept = { ...renewed, seed: Buffer.from(seed).toString("base64") };
          return { renewed, kept, oldKeyEndsAt: iso(oldKeyEndsAt) };
        },
        async keep({ renewed, kept, oldKeyEndsAt }) {
          // The file's own address stays, whatever SALLYPORT_URL says today.
          await saveIdentity(path, { ...(await loadIdentity(path)), ...kept });
          return { ...renewed, oldKeyId: identity.keyId, oldKeyEndsAt, identity: path };
        },
      });
    }),
  show({ keyId, expiresAt, oldKeyEndsAt }, screen) {
    screen.mark(
      "ok",
      `this computer has a new key, which expires ${relativeTime(expiresAt)}`,
      keyId,
    );
    screen.line(`  The old one ends ${relativeTime(oldKeyEndsAt)}.`);
  },
});

// A key kept for the renewal of one key is not taken for that of another, nor for a login.
function pendingName(keyId: string): string {
  return `renew_${keyId.replace(".", "_")}`;
}
