import "@sallyport/egress/guard"; // Before anything else is loaded.
import { untilStopped } from "@sallyport/rpc";
import { startTelemetry } from "@sallyport/telemetry";
import { readGatewayConfig } from "./config.ts";
import { startGateway } from "./server.ts";

const config = readGatewayConfig(process.env);
const { otlpUrl, traceRatio, logLevel } = config;
await using _telemetry = await startTelemetry({
  service: "gateway",
  otlpUrl,
  traceRatio,
  logLevel,
});
await using _server = await startGateway(config);
await untilStopped();
