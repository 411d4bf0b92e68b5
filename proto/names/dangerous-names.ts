type DangerousName = {
  /** The name in capitals; with a star at its end, every name that begins so. */
  readonly name: string;
  readonly why: string;
};

/** Names that make a process do something else once they stand in its environment, and what that is. */
export const dangerousNames: readonly DangerousName[] = [
  { name: "LD_PRELOAD", why: "the dynamic linker loads the named library into every program" },
  { name: "LD_LIBRARY_PATH", why: "the dynamic linker takes libraries from the named folders first" },
  { name: "LD_AUDIT", why: "the dynamic linker loads the named auditing library into every program" },
  { name: "LD_*", why: "the dynamic linker reads its other settings from here too" },
  { name: "DYLD_*", why: "the macOS linker inserts and replaces libraries by these" },
  { name: "BASH_ENV", why: "bash runs the named file before every script" },
  { name: "ENV", why: "sh runs the named file when it starts interactively" },
  { name: "BASH_FUNC*", why: "bash takes functions from here, which can stand for any command" },
  {
    name: "SHELLOPTS",
    why: "bash switches on the named options, such as tracing every command with its values",
  },
  { name: "BASHOPTS", why: "bash switches on the named options" },
  { name: "PROMPT_COMMAND", why: "bash runs it before every prompt" },
  { name: "PS4", why: "the shell expands it, commands included, for every traced line" },
  { name: "IFS", why: "the shell splits words at these characters, which changes what scripts run" },
  { name: "PATH", why: "every command is looked for in the named folders" },
  { name: "CDPATH", why: "cd enters other folders than the script says" },
  { name: "HOME", why: "programs take their settings, keys and start-up files from there" },
  { name: "SHELL", why: "programs start the named file as a shell" },
  { name: "EDITOR", why: "git and others run it" },
  { name: "VISUAL", why: "git and others run it" },
  { name: "PAGER", why: "git, man and others run it" },
  { name: "BROWSER", why: "log-in helpers run it" },
  { name: "LESSOPEN", why: "less runs it for every file" },
  { name: "NODE_OPTIONS", why: "node takes options from here, such as modules to load first" },
  { name: "NODE_PATH", why: "node loads modules from the named folders" },
  { name: "PYTHONPATH", why: "python imports modules from the named folders first" },
  { name: "PYTHONHOME", why: "python takes its standard library from there" },
  { name: "PYTHONSTARTUP", why: "python runs the named file when it starts interactively" },
  { name: "PERL5OPT", why: "perl takes options from here, such as modules to load first" },
  { name: "PERL5LIB", why: "perl loads modules from the named folders first" },
  { name: "RUBYOPT", why: "ruby takes options from here, such as files to load first" },
  { name: "RUBYLIB", why: "ruby loads files from the named folders first" },
  { name: "GIT_SSH", why: "git runs it to reach a server" },
  { name: "GIT_SSH_COMMAND", why: "git runs it to reach a server" },
  { name: "GIT_EXEC_PATH", why: "git runs its own commands from the named folder" },
  { name: "GIT_CONFIG*", why: "git takes settings from here, and settings name commands to run" },
  { name: "GIT_EDITOR", why: "git runs it" },
  { name: "GIT_PAGER", why: "git runs it" },
  { name: "GIT_ASKPASS", why: "git runs it and trusts its answer" },
  { name: "GIT_PROXY_COMMAND", why: "git runs it to reach a server" },
  { name: "GIT_EXTERNAL_DIFF", why: "git runs it for every changed file" },
  { name: "GIT_TEMPLATE_DIR", why: "git copies hooks from there into new repositories" },
  { name: "SSH_ASKPASS", why: "ssh runs it and trusts its answer" },
  { name: "JAVA_TOOL_OPTIONS", why: "every Java machine takes options from here, such as agents to load" },
  { name: "JDK_JAVA_OPTIONS", why: "java takes options from here, such as agents to load" },
  { name: "_JAVA_OPTIONS", why: "every Java machine takes options from here, such as agents to load" },
  { name: "CLASSPATH", why: "java loads classes from there" },
];

/** Says why a name is dangerous in an environment, or returns undefined. Case does not matter: on Windows it is ignored. */
export function dangerOf(name: string): string | undefined {
  const capitals = name.toUpperCase();
  return dangerousNames.find((dangerous) => matches(dangerous.name, capitals))?.why;
}

function matches(pattern: string, capitals: string): boolean {
  return pattern.endsWith("*") ? capitals.startsWith(pattern.slice(0, -1)) : capitals === pattern;
}
