import { type Session, createSession } from "./session.ts";
import { type Progress, createProgress } from "../terminal/progress.ts";
import { terminalOf } from "../terminal/terminal.ts";
import type { Choice } from "../vaults/choose.ts";

/** What the global options say. */
export type Globals = {
  readonly vault: string | undefined;
  readonly identity: string | undefined;
  readonly timeoutMs: number;
  readonly json: boolean;
};

/** What a command has around it. */
export type Context = {
  readonly env: NodeJS.ProcessEnv;
  readonly globals: Globals;
  /** Which identity was chosen, for what does not go through the session. */
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
    session: createSession(choice, globals.timeoutMs, progress),
    sessionIn: (vault) => createSession({ ...choice, vault }, globals.timeoutMs, progress),
    exitCode: 0,
  };
}
