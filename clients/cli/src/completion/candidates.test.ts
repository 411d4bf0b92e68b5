import { describe, expect, test } from "vitest";
import { type NamesOf, offerFor } from "./candidates.ts";

const namesOf: NamesOf = async (source) =>
  typeof source === "object" ? source.words : [`${source}-A`, `${source}-B`, "other"];
const offered = async (...words: string[]) => {
  const { candidates, also } = await offerFor(words, namesOf);
  return { words: candidates.map(({ word }) => word), also };
};

describe("what is offered", () => {
  test("first: every command and group", async () => {
    const { words } = await offered("");
    expect(words).toEqual(expect.arrayContaining(["get", "vault", "help", "completion"]));
    expect(words).not.toContain("list of");
    expect((await offered("ge")).words).toEqual(["get"]);
  });

  test("after a group: its commands; after help: everything", async () => {
    expect((await offered("vault", "")).words).toEqual([
      "list",
      "use",
      "show",
      "create",
      "sealing",
    ]);
    expect((await offered("vault", "u")).words).toEqual(["use"]);
    expect((await offered("vault", "sealing", "o")).words).toEqual(["on", "off"]);
    expect((await offered("secret", "sealing", "DB", "of")).words).toEqual(["off"]);
    expect((await offered("help", "ge")).words).toEqual(["get"]);
  });

  test("for an argument: its names", async () => {
    expect((await offered("get", "")).words).toEqual([
      "readableSecrets-A",
      "readableSecrets-B",
      "other",
    ]);
    expect((await offered("get", "readableSecrets-B")).words).toEqual(["readableSecrets-B"]);
    expect((await offered("vault", "use", "v")).words).toEqual(["vaults-A", "vaults-B"]);
    expect((await offered("completion", "")).words).toEqual(["bash", "zsh", "fish"]);
    expect((await offered("get", "A", "")).words).toEqual([]);
  });

  test("for an option: its name, then its value", async () => {
    expect((await offered("get", "--pr")).words).toEqual(["--project"]);
    expect((await offered("run", "--no")).words).toEqual(["--no-inherit"]);
    expect((await offered("get", "--project", "")).words).toEqual([
      "readableProjects-A",
      "readableProjects-B",
      "other",
    ]);
    expect((await offered("export", "--format", "d")).words).toEqual(["dotenv", "docker-env"]);
    expect((await offered("get", "A", "--vault", "vaults-B")).words).toEqual(["vaults-B"]);
    expect((await offered("--vault", "x", "get", "o")).words).toEqual(["other"]);
    expect((await offered("--vault", "")).words).toEqual(["vaults-A", "vaults-B", "other"]);
    expect((await offered("--vault", "vaults-A", "ge")).words).toEqual(["get"]);
    expect(await offered("--identity", "")).toEqual({ words: [], also: "files" });
    expect((await offered("secret", "history", "o")).words).toEqual(["other"]);
    expect(await offered("get", "--output", "")).toEqual({ words: [], also: "files" });
    expect(await offered("get", "-o", "")).toEqual({ words: [], also: "files" });
  });

  test("in a list: what comes after the last comma", async () => {
    expect((await offered("run", "--only", "readableSecrets-A,o")).words).toEqual([
      "readableSecrets-A,other",
    ]);
  });

  test("after --: a command line that is not ours", async () => {
    expect(await offered("run", "--only", "A", "--", "")).toEqual({ words: [], also: "command" });
    expect((await offered("run", "--", "git", "--v")).also).toBe("command");
  });
});
