import { fileText, readSettings } from "@sallyport/config";
import { migrate } from "@sallyport/postgres";

const { url } = readSettings(process.env, { url: fileText("SALLYPORT_DATABASE_URL_FILE") });
const applied = await migrate({ url, folder: new URL("../migrations/", import.meta.url) });
process.stdout.write(`${JSON.stringify({ applied })}\n`);
