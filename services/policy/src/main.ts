import "@sallyport/egress/guard"; // Before anything else is loaded.
import { untilStopped } from "@sallyport/rpc";
import { startTelemetry } from "@sallyport/telemetry";
import { readPolicyConfig } from "./config.ts";
import { startPolicy } from "./server.ts";

const config = readPolicyConfig(process.env);
const { otlpUrl, logLevel } = config;
await using _telemetry = await startTelemetry({ service: "policy", otlpUrl, logLevel });
await using _server = await startPolicy(config);
await untilStopped();
