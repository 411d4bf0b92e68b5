import { fileURLToPath } from "node:url";
import { migrate } from "@sallyport/postgres";
import { readMigrationConfig } from "./config.ts";

// Run on its own, as the owner of the database: the serving role may not change the schema.
const folder = fileURLToPath(new URL("../migrations", import.meta.url));
await migrate({ url: readMigrationConfig(process.env).databaseUrl, folder });
