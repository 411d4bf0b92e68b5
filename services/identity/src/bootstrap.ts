import { parseArgs } from "node:util";
import { fileText, readSettings } from "@sallyport/config";
import { openDatabase } from "@sallyport/postgres";
import { makeFirstVault } from "./first-vault.ts";

const { values } = parseArgs({
  options: { "vault-name": { type: "string" }, "owner-key-sha256": { type: "string" } },
});
const name = values["vault-name"] ?? "";
const ownerKey = values["owner-key-sha256"] ?? "";
if (!/^[^\p{Cc}]{1,128}$/u.test(name) || !/^[0-9a-f]{64}$/.test(ownerKey))
  throw new Error("usage: bootstrap.ts --vault-name NAME --owner-key-sha256 HEX");
const { url } = readSettings(process.env, { url: fileText("SALLYPORT_DATABASE_URL_FILE") });
await using database = openDatabase({ url, applicationName: "sallyport-bootstrap" });
const made = await makeFirstVault(
  database,
  { name, ownerKeySha256: Buffer.from(ownerKey, "hex") },
  Date.now(),
);
process.stdout.write(`${JSON.stringify(made)}\n`);
