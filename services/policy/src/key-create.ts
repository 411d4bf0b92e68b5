import { path, readSettings } from "@sallyport/config";
import { keptOrNewSigningKeys } from "@sallyport/evidence";

// The part of policy in the ceremony: makes its answer key once and prints the public half for the
// keyset.
const variable = "SALLYPORT_ANSWER_KEY_FILE";
const { file } = readSettings(process.env, { file: path(variable) });
const keys = keptOrNewSigningKeys({ variable, file, use: "ANSWER", holder: "policy" });
process.stdout.write(`${JSON.stringify({ keys })}\n`);
