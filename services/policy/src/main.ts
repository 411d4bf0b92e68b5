import { untilStopped } from "@sallyport/rpc";
import { readPolicyConfig } from "./config.ts";
import { startPolicy } from "./server.ts";

await using _server = await startPolicy(readPolicyConfig(process.env));
await untilStopped();
