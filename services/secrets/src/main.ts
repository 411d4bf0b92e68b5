import { untilStopped } from "@sallyport/rpc";
import { readSecretsConfig } from "./config.ts";
import { startSecrets } from "./server.ts";

await using _server = await startSecrets(readSecretsConfig(process.env));
await untilStopped();
