import { randomBytes } from "node:crypto";
import { writeKeyFile } from "@sallyport/config";
import { publicKeyOf } from "@sallyport/evidence";
import { readKeyConfig } from "./config.ts";

// The ceremony's part of audit: makes the log-signing key once and prints its public half for the keyset.
const { logKeyFile } = readKeyConfig(process.env);
const seed = randomBytes(32);
try {
  const keyId = `log-${randomBytes(6).toString("hex")}`;
  writeKeyFile(logKeyFile, [{ keyId, key: seed }]);
  const publicKey = Buffer.from(publicKeyOf(seed)).toString("base64");
  process.stdout.write(`${JSON.stringify({ keys: [{ keyId, use: "LOG", publicKey }] })}\n`);
} finally {
  seed.fill(0);
}
