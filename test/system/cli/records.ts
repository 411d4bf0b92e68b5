import { spawn } from "node:child_process";
import { describe, expect, test } from "vitest";
import { refusalOf, saying } from "./contents.ts";
import { cliProgram } from "./home.ts";
import type { Cli } from "./state.ts";

type Listed = {
  seq: string;
  time: string;
  recordedAt: string;
  action: string;
  actor: string;
  actorName: string | null;
  about: string;
  outcome: string;
  reason: string;
  eventId: string;
  machineId: string;
};

/** audit: listing with each filter, tailing and showing. */
export function describeRecords(cli: () => Cli): void {
  describe("audit", () => {
    const list = async (...args: string[]) =>
      (await cli().home.json(["audit", "list", "--all", ...args])) as Listed[];
    const refused = async (...args: string[]) =>
      refusalOf(await cli().home.run(["audit", ...args]));

    test("lists names for ids, newest first, and says when more follow", async () => {
      await cli().home.run(["get", "DB_URL"]);
      const [newest, ...others] = (await cli().note("audit list", ["--limit", "5"])) as Listed[];
      expect(newest).toMatchObject({
        action: "secret.read",
        actorName: "runner-1",
        about: "DB_URL",
      });
      expect(others).toHaveLength(4);
      const { out, err } = await cli().home.run(["audit", "list", "--limit", "1"]);
      expect(out).toMatch(
        /^ *SEQ +WHEN +ACTION +ACTOR +ABOUT +RESULT\n *\d+ +.* secret\.read +runner-1 +DB_URL +ok\n$/,
      );
      expect(err).toBe("sallyport: more follow: --limit 10 or --all shows them\n");
    });

    test("filters by every thing, by name or id, and all that are given hold", async () => {
      const { machineId } = cli();
      await cli().home.run(["get", "NONE"]);
      await cli().home.run(["secret", "put", "DB_URL", "--project", "web"], {
        input: "postgres://db/3",
      });
      const all = await list();
      const only = (test: (record: Listed) => boolean) => all.filter(test).map(({ seq }) => seq);
      const seqs = async (...args: string[]) => (await list(...args)).map(({ seq }) => seq);
      const before = ["--until", new Date(Date.parse(all[0]?.recordedAt ?? "") + 1).toISOString()];

      expect(await seqs(...before, "--actor", "ada")).toEqual(
        only(({ actorName }) => actorName === "ada"),
      );
      expect(await seqs(...before, "--actor", machineId)).toEqual(
        only(({ actor }) => actor === machineId),
      );
      expect(await seqs(...before, "--actor", "runner-1")).toEqual(
        only(({ actor }) => actor === machineId),
      );
      expect(await seqs(...before, "--actor", "identity")).toEqual(
        only(({ actor }) => actor === "identity"),
      );
      expect(await seqs(...before, "--machine", "runner-1")).toEqual(
        only((record) => record.machineId === machineId),
      );
      const ofSecret = await list(...before, "--secret", "DB_URL", "--project", "web");
      expect(new Set(ofSecret.map(({ action }) => action))).toEqual(
        new Set(["secret.created", "secret.version.added", "secret.read", "grant.added"]),
      );
      expect(await seqs(...before, "--action", "secret.*")).toEqual(
        only(({ action }) => action.startsWith("secret.")),
      );
      expect(await seqs(...before, "--outcome", "denied")).toEqual(
        only(({ outcome }) => outcome === "denied"),
      );
      expect(await seqs(...before, "--reason", "NOT_GRANTED")).toEqual(
        only(({ reason }) => reason === "NOT_GRANTED"),
      );
      const [token] = all.filter(({ action }) => action === "token.created");
      const { subjectId } = (
        (await cli().home.json(["audit", "show", token?.seq ?? ""])) as {
          record: { subjectId: string };
        }
      ).record;
      expect((await list("--subject", subjectId)).map(({ action }) => action)).toContain(
        "token.created",
      );
      expect(await seqs(...before, "--source", "127.0.0.0/8")).toEqual(
        await seqs(...before, "--source", "127.0.0.1"),
      );
      expect(await seqs("--source", "192.0.2.0/24")).toEqual([]);
      expect(await seqs(...before, "--oldest-first")).toEqual(only(() => true).toReversed());
      expect(await seqs("--since", "1h", ...before)).toEqual(only(() => true));
      expect(await seqs("--until", "1h")).toEqual([]);
      const middle = all[Math.floor(all.length / 2)]?.recordedAt ?? "";
      expect(await seqs("--since", middle, ...before)).toEqual(
        only(({ recordedAt }) => recordedAt >= middle),
      );
    });

    test("the operator's vault sees what belongs to none", async () => {
      const started = await list("--deployment", "--action", "process.started");
      expect(started.map(({ actor }) => actor)).toContain("gateway");
      const { seq = "", eventId = "" } = started[0] ?? {};
      expect((await refused("show", seq)).code).toBe(5);
      expect((await cli().home.run(["audit", "show", seq, "--deployment"])).out).toContain(eventId);
    });

    test("show gives every field, by number or id", async () => {
      const [read] = await list("--action", "secret.read");
      const shown = await cli().note("audit show", [read?.seq ?? ""]);
      expect(shown).toMatchObject({ record: read, names: { [cli().machineId]: "runner-1" } });
      expect(await cli().home.json(["audit", "show", read?.eventId ?? ""])).toEqual(shown);
      const { out } = await cli().home.run(["audit", "show", read?.seq ?? ""]);
      for (const fact of [
        "meaning ",
        "actor        runner-1 (mch_",
        "secret ",
        "decision ",
        "client       sallyport-cli/",
      ])
        expect(out).toContain(fact);
    });

    test("refuses what is no record, no time, no network and no action, with what to write", async () => {
      expect(await refused("show", "99999999")).toMatchObject({
        code: 5,
        said: "sallyport: there is no record 99999999 [NOT_FOUND]",
      });
      expect(await refused("show", "evt_00000000000000000000")).toMatchObject({
        code: 5,
        said: "sallyport: there is no record evt_00000000000000000000 [NOT_FOUND]",
      });
      expect(await refused("show", "x")).toMatchObject({
        code: 2,
        next: "give its number, or its id (evt_…)",
      });
      expect(await refused("list", "--since", "yesterday")).toMatchObject({
        code: 2,
        said: saying("such as 2h"),
      });
      expect(await refused("list", "--since", "1h", "--until", "2h")).toMatchObject({ code: 2 });
      expect(await refused("list", "--source", "10.0.0.1/8")).toMatchObject({
        code: 2,
        said: saying("outside of its prefix"),
      });
      expect(await refused("list", "--action", "secret.raed")).toMatchObject({
        code: 2,
        next: saying("secret.read"),
      });
      expect(await refused("list", "--action", "x*")).toMatchObject({
        code: 2,
        next: saying("secret.*"),
      });
      expect(await refused("list", "--reason", "no")).toMatchObject({ code: 2 });
      expect(await refused("list", "--actor", "nobody")).toMatchObject({ code: 5 });
      expect(await refused("list", "--all", "--limit", "3")).toMatchObject({ code: 2 });
    });

    test.each(["SIGINT", "SIGTERM"] as const)(
      "tail shows each record once as it comes, and ends well by %s",
      async (signal) => {
        const args = [
          "audit",
          "tail",
          "--last",
          "1",
          "--every",
          "1s",
          "--action",
          "secret.read",
          "--json",
        ];
        const child = spawn(process.execPath, [cliProgram, ...args], { env: cli().home.env });
        let out = "";
        child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
        const records = () =>
          out
            .split("\n")
            .filter(Boolean)
            .map((line) => JSON.parse(line) as Listed);
        const until = async (count: number) => {
          for (let at = 0; at < 200 && records().length < count; at += 1)
            await new Promise((resolve) => setTimeout(resolve, 100));
        };
        await until(1);
        for (const name of ["DB_URL", "ODD", "BINARY"]) await cli().home.run(["get", name]);
        await until(4);
        const ended = new Promise<[number | null, string | null]>((resolve) =>
          child.once("close", (code, by) => resolve([code, by])),
        );
        child.kill(signal);
        expect(await ended).toEqual([0, null]);
        expect(
          records()
            .slice(1)
            .map(({ about }) => about),
        ).toEqual(["DB_URL", "ODD", "BINARY"]);
        const seqs = records().map(({ seq }) => Number(seq));
        expect(seqs).toEqual([...new Set(seqs)].toSorted((a, b) => a - b));
        cli().printed.set("audit tail", records()[0]);
      },
    );
  });
}
