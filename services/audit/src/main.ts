import "@sallyport/egress/guard"; // Before anything else is loaded.
import { untilStopped } from "@sallyport/rpc";
import { startTelemetry } from "@sallyport/telemetry";
import { readAuditConfig } from "./config.ts";
import { startAudit } from "./server.ts";

const config = readAuditConfig(process.env);
const { otlpUrl, logLevel } = config;
await using _telemetry = await startTelemetry({ service: "audit", otlpUrl, logLevel });
await using _server = await startAudit(config);
await untilStopped();
