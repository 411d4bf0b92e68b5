import "@sallyport/egress/guard"; // Before anything else is loaded.
import { untilStopped } from "@sallyport/rpc";
import { startTelemetry } from "@sallyport/telemetry";
import { readSecretsConfig } from "./config.ts";
import { startSecrets } from "./server.ts";

const config = readSecretsConfig(process.env);
const { otlpUrl, logLevel } = config;
await using _telemetry = await startTelemetry({ service: "secrets", otlpUrl, logLevel });
await using _server = await startSecrets(config);
await untilStopped();
