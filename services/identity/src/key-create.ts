import { keptOrNewKeys, path, readSettings } from "@sallyport/config";
import { publicKeyOf } from "@sallyport/evidence";

// The ceremony's part of identity: makes the credential key once and prints its public half for the keyset.
const variable = "SALLYPORT_CREDENTIAL_KEY_FILE";
const { file } = readSettings(process.env, { file: path(variable) });
const keys = keptOrNewKeys(variable, file, "credential").map(({ keyId, key }) => {
  const publicKey = Buffer.from(publicKeyOf(key)).toString("base64");
  key.fill(0);
  return { keyId, use: "CREDENTIAL", publicKey };
});
process.stdout.write(`${JSON.stringify({ keys })}\n`);
