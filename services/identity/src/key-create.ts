import { path, readSettings } from "@sallyport/config";
import { keptOrNewSigningKeys } from "@sallyport/evidence";

// The ceremony's part of identity: makes its keys once and prints their public halves for the
// keyset.
const credential = "SALLYPORT_CREDENTIAL_KEY_FILE";
const answer = "SALLYPORT_ANSWER_KEY_FILE";
const files = readSettings(process.env, { credential: path(credential), answer: path(answer) });
const keys = [
  ...keptOrNewSigningKeys({ variable: credential, file: files.credential, use: "CREDENTIAL" }),
  ...keptOrNewSigningKeys({
    variable: answer,
    file: files.answer,
    use: "ANSWER",
    holder: "identity",
  }),
];
process.stdout.write(`${JSON.stringify({ keys })}\n`);
