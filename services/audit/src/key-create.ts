import { keptOrNewKeys } from "@sallyport/config";
import { publicKeyOf } from "@sallyport/evidence";
import { readKeyConfig } from "./config.ts";

// The ceremony's part of audit: makes the log-signing key once and prints its public half for the keyset.
const { logKeyFile } = readKeyConfig(process.env);
const keys = keptOrNewKeys("SALLYPORT_LOG_KEY_FILE", logKeyFile, "log").map(({ keyId, key }) => {
  const publicKey = Buffer.from(publicKeyOf(key)).toString("base64");
  key.fill(0);
  return { keyId, use: "LOG", publicKey };
});
process.stdout.write(`${JSON.stringify({ keys })}\n`);
