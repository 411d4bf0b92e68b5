import { defineCommand } from "../definition/define.ts";
import { text, choice } from "../definition/options.ts";
import { object, text as word } from "../definition/shape.ts";
import { formatNames, formats, writeFormat } from "../export/format.ts";
import { githubMasks } from "../export/github-masks.ts";
import { saveOutput } from "../app/output-file.ts";
import { terminalOf } from "../terminal/terminal.ts";
import { variableOptions } from "../values/options.ts";
import { readVariables } from "../values/read.ts";

/** `sallyport export`: secrets in a format that other programs read back byte for byte. */
export const exportCommand = defineCommand({
  description:
    "A value that a format cannot hold is refused, and the formats that can are named. Fields " +
    "become NAME_FIELD. Values that are not UTF-8 are written only by json and yaml, as " +
    "base64. On a GitHub runner, github-env also has the values masked in the log of the job.",
  args: {},
  options: {
    format: choice("how to write them", formatNames, {
      required: true,
      value: "format",
      short: "-f",
    }),
    ...variableOptions,
    output: text("write to a file that only you may read", {
      value: "file",
      complete: "files",
      short: "-o",
    }),
  },
  examples: [
    ["sallyport export --format dotenv --output .env", "a file for the dotenv packages"],
    ['eval "$(sallyport export --format shell --only DB_URL)"', "into this shell"],
    ['sallyport export --format github-env >> "$GITHUB_ENV"', "for the next steps of a GitHub job"],
    ["sallyport export --format json --map DATABASE_URL=DB_URL", "under another name"],
  ],
  json: object({
    format: word("the format"),
    content: word("what would be written; with --output, empty"),
  }),
  async run({ options, context }) {
    const { format, output } = options;
    const { identifiers } = formats[format];
    const variables = await readVariables(context.session, options, identifiers);
    const content = writeFormat(format, variables);
    // The runner shows the environment at the head of each later step, and masks only what it was
    // given. It reads commands from standard error too; anywhere else they would be values on a
    // screen.
    if (format === "github-env" && context.env["GITHUB_ACTIONS"] === "true")
      terminalOf("stderr", context.env).write(githubMasks(variables));
    if (output === undefined) return { format, content };
    await saveOutput(output, content);
    context.progress.say(`${variables.length} variables to ${output}`);
    return context.globals.json ? { format, content: "" } : undefined;
  },
  show: ({ content }, screen) => screen.value(Buffer.from(content), "what would be written"),
});
