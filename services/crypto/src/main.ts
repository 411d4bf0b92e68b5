import "@sallyport/egress/guard"; // Before anything else is loaded.
import { untilStopped } from "@sallyport/rpc";
import { startTelemetry } from "@sallyport/telemetry";
import { readCryptoConfig } from "./config.ts";
import { requireNoCoreDumps } from "./core-dumps.ts";
import { startCrypto } from "./server.ts";

requireNoCoreDumps();
const config = readCryptoConfig(process.env);
const { otlpUrl, logLevel } = config;
await using _telemetry = await startTelemetry({ service: "crypto", otlpUrl, logLevel });
await using _server = await startCrypto(config);
await untilStopped();
