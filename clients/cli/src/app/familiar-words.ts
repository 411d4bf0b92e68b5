type Meant = readonly [command: string, because?: string];

const put: Meant = ["secret put"];
const imports: Meant = ["secret put", "secrets are stored one by one, each from a pipe or a file"];
const start: Meant = ["login", "as a person; as a machine it is enroll"];

/** Words of other tools, and the commands that do the same here. */
const words: Readonly<Record<string, Meant>> = {
  read: ["get"],
  cat: ["get"],
  ls: ["list"],
  exec: ["run"],
  env: ["export"],
  dump: ["export"],
  download: ["export"],
  set: put,
  put,
  write: put,
  add: put,
  store: put,
  import: imports,
  upload: imports,
  init: start,
  setup: start,
  configure: start,
  auth: start,
  status: ["whoami", "and doctor checks everything"],
  me: ["whoami"],
  check: ["doctor"],
  environments: ["project list", "an environment is a project here, such as web-prod"],
  secrets: ["secret list"],
  projects: ["project list"],
  kv: ["secret list"],
  log: ["audit list"],
  logs: ["audit list"],
  history: ["secret history"],
  rollback: ["secret rollback"],
  undo: ["secret rollback"],
  delete: ["secret rm"],
  rm: ["secret rm"],
  "secret get": ["get", "machines read values, people do not"],
  "secret read": ["get", "machines read values, people do not"],
  "secret set": put,
  "secret update": put,
  "secret add": put,
  "secret write": put,
  "secret import": imports,
  "secret delete": ["secret rm"],
  "secret remove": ["secret rm"],
  "secret ls": ["secret list"],
  "secret undo": ["secret rollback"],
  "secret log": ["secret history"],
  "project rm": ["project delete"],
  "project new": ["project create"],
  "token new": ["token create"],
  "token rm": ["token revoke"],
  "machine rm": ["machine revoke"],
  "user add": ["user invite"],
  "user rm": ["user remove"],
  "audit log": ["audit list"],
};

/**
 * The command meant by the first words of a command line that name none; undefined for any
 * other.
 */
export function meantBy([noun = "", verb]: readonly string[]): string | undefined {
  const of = (typed: string): Meant | undefined =>
    Object.hasOwn(words, typed) ? words[typed] : undefined;
  const meant = (verb === undefined ? undefined : of(`${noun} ${verb}`)) ?? of(noun);
  if (!meant) return undefined;
  const [command, because] = meant;
  return `"sallyport ${command}" does that${because === undefined ? "" : `: ${because}`}`;
}
