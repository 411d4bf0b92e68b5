import { untilStopped } from "@sallyport/rpc";
import { readIdentityConfig } from "./config.ts";
import { startIdentity } from "./server.ts";

await using _server = await startIdentity(readIdentityConfig(process.env));
await untilStopped();
