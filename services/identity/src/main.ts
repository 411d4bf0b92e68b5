import "@sallyport/egress/guard"; // Before anything else is loaded.
import { untilStopped } from "@sallyport/rpc";
import { startTelemetry } from "@sallyport/telemetry";
import { readIdentityConfig } from "./config.ts";
import { startIdentity } from "./server.ts";

const config = readIdentityConfig(process.env);
const { otlpUrl, logLevel } = config;
await using _telemetry = await startTelemetry({ service: "identity", otlpUrl, logLevel });
await using _server = await startIdentity(config);
await untilStopped();
