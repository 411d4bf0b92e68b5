import { join } from "node:path";
import { type Identity, saveIdentity } from "@sallyport/client/identity";
import { newId } from "@sallyport/proto/ids";

/**
 * Puts an identity into the vault folder of a home, as login and enroll do, and returns its vault's
 * id.
 */
export async function placeIdentity(home: string, change: Partial<Identity> = {}): Promise<string> {
  const { vaultId = newId("vlt"), kind = "user" } = change;
  await saveIdentity(join(home, ".config", "sallyport", vaultId, `${kind}.json`), {
    url: "https://localhost:1",
    rootFingerprint: "f",
    vaultId,
    principalId: kind === "user" ? newId("usr") : newId("mch"),
    keyId: newId("mch"),
    kind,
    name: "ada",
    seed: Buffer.alloc(32, 1).toString("base64"),
    expiresAt: "2999-01-01T00:00:00.000Z",
    ...change,
  });
  return vaultId;
}
