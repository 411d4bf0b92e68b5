import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Process, type System, processes } from "@sallyport/deploy/local";
import type { LinkState } from "./link.ts";
import type { Random } from "./random.ts";
import type { SmallDisk } from "./small-disk.ts";
import type { DisturbedWiring } from "./wiring.ts";

/**
 * Something that goes wrong, and how it is put right again. A kill is over at once:
 * the restarter starts what died.
 */
export type Fault = {
  readonly name: string;
  /** How long it lasts, in milliseconds. */
  readonly lastsMs: number;
  /** Whether processes disagree about the time meanwhile. */
  readonly wrongClocks?: true;
  readonly begin: () => void;
  readonly end: () => void;
};

/** What faults are made of. */
export type Parts = {
  readonly system: System;
  readonly disturbed: DisturbedWiring;
  readonly disk: SmallDisk | undefined;
  readonly random: Random;
};

const nothing = (): void => undefined;

/** One fault of each sort, in an order, on links and with times that the random numbers choose. */
export function oneRound(parts: Parts): Fault[] {
  const { disk, random } = parts;
  const links = random.shuffled([...parts.disturbed.links.keys()]);
  return random.shuffled([
    ...processes.map((name) => killProcess(parts, name)),
    killServers(parts, ["postgres"]),
    killServers(parts, ["redis"]),
    killServers(parts, ["postgres", "redis"]),
    stopAudit(parts),
    disturbLink(parts, "cut", links[0], "cut"),
    disturbLink(parts, "hold", links[1], "held"),
    disturbLink(parts, "slow", links[2], { slowMs: 200 + random.below(400) }),
    ...(disk ? [fillDisk(parts, disk)] : []),
    jumpClock(parts, random.pick([...processes.map((name) => [name]), processes])),
  ]);
}

function killProcess({ system }: Parts, name: Process): Fault {
  const begin = (): void => void process.kill(system.child(name).pid, "SIGKILL");
  return { name: `kill ${name}`, lastsMs: 0, begin, end: nothing };
}

const pidFiles = { postgres: ["cluster", "postmaster.pid"], redis: ["data", "redis.pid"] } as const;

function killServers({ system }: Parts, names: readonly ("postgres" | "redis")[]): Fault {
  const begin = (): void => {
    for (const name of names) {
      const file = join(system.layout[name], ...pidFiles[name]);
      process.kill(Number(readFileSync(file, "utf8").split("\n")[0]), "SIGKILL");
    }
  };
  return { name: `kill ${names.join(" and ")}`, lastsMs: 0, begin, end: nothing };
}

function stopAudit({ system, random }: Parts): Fault {
  let pid = 0;
  return {
    name: "stop audit",
    lastsMs: 1500 + random.below(1500),
    begin() {
      pid = system.child("audit").pid;
      process.kill(pid, "SIGSTOP");
    },
    end: () => void process.kill(pid, "SIGCONT"),
  };
}

function disturbLink(
  { disturbed, random }: Parts,
  verb: string,
  name = "",
  state: LinkState,
): Fault {
  const link = disturbed.links.get(name);
  if (!link) throw new Error(`there is no link ${name}`);
  return {
    name: `${verb} ${name}`,
    lastsMs: 1000 + random.below(1500),
    begin: () => link.set(state),
    end: () => link.set("open"),
  };
}

function fillDisk({ random }: Parts, disk: SmallDisk): Fault {
  return {
    name: "fill the log's disk",
    lastsMs: 2000 + random.below(1000),
    begin: () => disk.fill(),
    end: () => disk.free(),
  };
}

// Beyond the window in which requests are good (60 s), and within what a machine of this run lives.
function jumpClock({ disturbed, random }: Parts, names: readonly Process[]): Fault {
  const seconds = (random.below(2) === 0 ? 1 : -1) * (90 + random.below(600));
  const set = (offsetMs: number): void =>
    names.forEach((name) => disturbed.setClock(name, offsetMs));
  const whose = names.length === 1 ? names.join("") : "every";
  return {
    name: `set ${whose} clock ${seconds > 0 ? "+" : ""}${seconds} s`,
    lastsMs: 1000 + random.below(1500),
    wrongClocks: true,
    begin: () => set(seconds * 1000),
    end: () => set(0),
  };
}
