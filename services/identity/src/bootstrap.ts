import { parseArgs } from "node:util";
import { fileText, readSettings } from "@sallyport/config";
import { openDatabase } from "@sallyport/postgres";
import { isId } from "@sallyport/proto/ids";
import { makeFirstVault, recoverVault } from "./vaults/first-vault.ts";

const { values } = parseArgs({
  options: {
    "vault-name": { type: "string" },
    "recover-vault": { type: "string" },
    "owner-key-sha256": { type: "string" },
  },
});
const { "vault-name": name, "recover-vault": vaultId, "owner-key-sha256": ownerKey = "" } = values;
const asked =
  name === undefined ? isId("vlt", vaultId ?? "") : vaultId === undefined && isName(name);
if (!asked || !/^[0-9a-f]{64}$/.test(ownerKey))
  throw new Error(
    "usage: bootstrap.ts (--vault-name NAME | --recover-vault vlt_...) --owner-key-sha256 HEX",
  );
const { url } = readSettings(process.env, { url: fileText("SALLYPORT_DATABASE_URL_FILE") });
await using database = openDatabase({ url, applicationName: "sallyport-bootstrap" });
const ownerKeySha256 = Buffer.from(ownerKey, "hex");
const made =
  name === undefined
    ? await recoverVault(database, { vaultId: vaultId ?? "", ownerKeySha256 }, Date.now())
    : await makeFirstVault(database, { name, ownerKeySha256 }, Date.now());
process.stdout.write(`${JSON.stringify(made)}\n`);

function isName(text: string): boolean {
  return /^[^\p{Cc}]{1,128}$/u.test(text);
}
