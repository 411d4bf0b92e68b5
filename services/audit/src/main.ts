import { untilStopped } from "@sallyport/rpc";
import { readAuditConfig } from "./config.ts";
import { startAudit } from "./server.ts";

await using _server = await startAudit(readAuditConfig(process.env));
await untilStopped();
