import { spawnSync } from "node:child_process";

const script = `
import os, pty, select, signal, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
out = b""
def until(word, seconds=20):
    global out
    end = time.time() + seconds
    while word not in out and time.time() < end:
        if select.select([fd], [], [], 0.1)[0]:
            try: out += os.read(fd, 4096)
            except OSError: break
    return word in out
never = ""
for step in sys.argv[1].split(","):
    kind, _, what = step.partition(":")
    if kind == "until" and not until(what.encode()):
        never = what
        break
    if kind == "wait": until(b"\\0never", float(what))
    if kind == "signal":
        for child in open("/proc/%d/task/%d/children" % (pid, pid)).read().split():
            os.kill(int(child), getattr(signal, "SIG" + what))
    if kind == "type": os.write(fd, what.encode().decode("unicode_escape").encode("latin1"))
until(b"\\0never", 0 if never else 2)
if never: os.kill(pid, signal.SIGKILL)
_, status = os.waitpid(pid, 0)
if never: print("never shown:", never)
else: print("exit", os.WEXITSTATUS(status) if os.WIFEXITED(status) else "signal %d" % os.WTERMSIG(status))
sys.stdout.write(out.decode("utf8", "replace"))
`;

/**
 * Why nothing can be run on a terminal here; empty when it can. It goes into the title of a test
 * that is skipped.
 */
export const lackingPty: string =
  spawnSync("python3", ["-c", "import pty"]).status === 0
    ? ""
    : " (skipped: python3 not installed)";

/**
 * Runs a command on a terminal of its own, which it controls, in the foreground. Steps are
 * `until:TEXT`, `type:KEYS` and `wait:SECONDS`, and `signal:NAME` for the command's own child.
 * Gives "exit N" or "exit signal N" in a first line, or "never shown: TEXT" for what was waited for
 * in vain, then what was shown.
 */
export function inPty(
  steps: readonly string[],
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): string {
  const args = ["-c", script, steps.join(","), ...command];
  const { stdout, stderr } = spawnSync("python3", args, { env, encoding: "utf8", timeout: 60_000 });
  return `${stdout}${stderr}`;
}
