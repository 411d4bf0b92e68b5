import { untilStopped } from "@sallyport/rpc";
import { readCryptoConfig } from "./config.ts";
import { startCrypto } from "./server.ts";

await using _server = await startCrypto(readCryptoConfig(process.env));
await untilStopped();
