import { defineCommand } from "../definition/define.ts";
import { required } from "../definition/options.ts";
import { object, text } from "../definition/shape.ts";
import { type Shell, scripts, shells } from "../completion/scripts.ts";
import { UsageError } from "../app/failure.ts";

/** `sallyport completion SHELL`: the completion script of a shell. */
export const completion = defineCommand({
  description:
    "Completes commands, options, and the names and ids that they take; it asks the server for " +
    "these.",
  args: { shell: required(shells.join(", "), { complete: { words: shells } }) },
  options: {},
  examples: [
    ["source <(sallyport completion bash)", "bash, this shell; in ~/.bashrc for every one"],
    ["source <(sallyport completion zsh)", "zsh, after compinit"],
    ["sallyport completion fish > ~/.config/fish/completions/sallyport.fish", "fish"],
  ],
  json: object({ shell: text("the shell"), script: text("its script") }),
  async run({ args }) {
    const shell = shells.find((each): each is Shell => each === args.shell);
    if (shell === undefined)
      throw new UsageError(
        `there is no completion for ${args.shell}`,
        `choose ${shells.join(", ")}`,
      );
    return { shell, script: scripts[shell] };
  },
  show: ({ script }, screen) => screen.value(Buffer.from(script), "the script"),
});
