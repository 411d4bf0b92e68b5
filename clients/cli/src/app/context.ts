import type { Session } from "./session.ts";
import { type Progress, createProgress } from "../terminal/progress.ts";
import { terminalOf } from "../terminal/terminal.ts";
import type { Choice } from "../vaults/choose.ts";

/** The values of the global options. */
export type Globals = {
  readonly vault: string | undefined;
  readonly identity: string | undefined;
  readonly timeoutMs: number;
  readonly json: boolean;
};

/** The environment of a command. */
export type Context = {
  readonly env: NodeJS.ProcessEnv;
  readonly globals: Globals;
  /** The choice of an identity, for code that does not use the session. */
  readonly choice: Choice;
  readonly progress: Progress;
  readonly session: Session;
  /** A session in another vault than the chosen one. */
  sessionIn(vault: string): Session;
  /** The exit code of a command that ends without an error; 0 unless it says otherwise. */
  exitCode: number;
};

// A command that asks several times says it once.
function once(say: (text: string) => void): (text: string) => void {
  const said = new Set<string>();
  return (text) => {
    if (!said.has(text)) say(text);
    said.add(text);
  };
}

/** Makes the context of one command. */
export function createContext(env: NodeJS.ProcessEnv, globals: Globals): Context {
  const progress = createProgress(terminalOf("stderr", env), globals.json);
  const choice = {
    env,
    identity: globals.identity,
    vault: globals.vault,
    onMoved: once((text) => progress.say(text)),
  };
  return {
    env,
    globals,
    choice,
    progress,
    session: lazySession(choice, globals.timeoutMs, progress),
    sessionIn: (vault) => lazySession({ ...choice, vault }, globals.timeoutMs, progress),
    exitCode: 0,
  };
}

// Connecting is loaded with the first action: much of what people type needs no connection.
function lazySession(choice: Choice, timeoutMs: number, progress: Progress): Session {
  let session: Promise<Session> | undefined;
  const loaded = (): Promise<Session> =>
    (session ??= import("./connect.ts").then(({ connectingSession }) =>
      connectingSession(choice, timeoutMs, progress),
    ));
  return {
    asMachine: async (action) => (await loaded()).asMachine(action),
    asUser: async (action) => (await loaded()).asUser(action),
    asUserOnce: async (action) => (await loaded()).asUserOnce(action),
    asAny: async (kinds, action) => (await loaded()).asAny(kinds, action),
    patiently: async (where, action) => (await loaded()).patiently(where, action),
  };
}
