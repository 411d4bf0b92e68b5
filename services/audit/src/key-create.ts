import { path, readSettings } from "@sallyport/config";
import { keptOrNewSigningKeys } from "@sallyport/evidence";

// The ceremony's part of audit: makes its keys once and prints their public halves for the keyset.
const log = "SALLYPORT_LOG_KEY_FILE";
const answer = "SALLYPORT_ANSWER_KEY_FILE";
const files = readSettings(process.env, { log: path(log), answer: path(answer) });
const keys = [
  ...keptOrNewSigningKeys({ variable: log, file: files.log, use: "LOG" }),
  ...keptOrNewSigningKeys({ variable: answer, file: files.answer, use: "ANSWER", holder: "audit" }),
];
process.stdout.write(`${JSON.stringify({ keys })}\n`);
