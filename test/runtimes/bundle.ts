import { join } from "node:path";
import { rolldown } from "rolldown";

const entry = join(import.meta.dirname, "program.ts");

/** A program for any runtime, and the modules of ours that are in it. */
export type Bundle = {
  readonly code: string;
  /** The code of each module by its path, without comments. */
  readonly modules: ReadonlyMap<string, string>;
};

/** Bundles the program as for a browser. Throws for an import that no browser has. */
export async function bundleForBrowser(input = entry): Promise<Bundle> {
  await using build = await rolldown({
    input,
    platform: "browser",
    logLevel: "silent",
    onLog(_, { code, message }) {
      if (code === "UNRESOLVED_IMPORT") throw new Error(message);
    },
    resolve: { extensionAlias: { ".js": [".ts", ".js"] } },
  });
  const { output } = await build.generate({ format: "esm", codeSplitting: false, comments: false });
  const [chunk] = output;
  return {
    code: chunk.code,
    modules: new Map(Object.entries(chunk.modules).map(([path, { code }]) => [path, code ?? ""])),
  };
}
