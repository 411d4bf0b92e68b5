import { untilStopped } from "@sallyport/rpc";
import { readGatewayConfig } from "./config.ts";
import { startGateway } from "./server.ts";

await using _server = await startGateway(readGatewayConfig(process.env));
await untilStopped();
