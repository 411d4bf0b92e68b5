import { randomBytes } from "node:crypto";
import { path, readSettings, writeKeyFile } from "@sallyport/config";
import { publicKeyOf } from "@sallyport/evidence";

const { file } = readSettings(process.env, { file: path("SALLYPORT_CREDENTIAL_KEY_FILE") });
const keyId = `credential-${randomBytes(4).toString("hex")}`;
const seed = randomBytes(32);
try {
  writeKeyFile(file, [{ keyId, key: seed }]);
  const publicKey = Buffer.from(publicKeyOf(seed)).toString("base64");
  process.stdout.write(`${JSON.stringify({ keys: [{ keyId, use: "CREDENTIAL", publicKey }] })}\n`);
} finally {
  seed.fill(0);
}
