/**
 * The start is refused: what was configured cannot be used. The message names every variable at
 * fault.
 */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/**
 * One environment variable and how its value is read; `read` throws an Error that says what is
 * wrong with it.
 */
export type Setting<T> = {
  readonly variable: string;
  readonly read: (value: string) => T;
  /** The value for a variable that is absent or empty; without it, it must be set. */
  readonly absent?: { readonly value: T };
};

/** The values of a specification. */
export type Settings<S> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

/** Makes a setting that may be absent: its value is then undefined. */
export function optional<T>(setting: Setting<T>): Setting<T | undefined> {
  return { ...setting, absent: { value: undefined } };
}

const ours = "SALLYPORT_";

/**
 * Reads all settings from the environment. Throws ConfigError, naming each variable that is
 * missing, unreadable, or begins with SALLYPORT_ and is in no setting: a misspelt option must not
 * be a silent default.
 */
export function readSettings<S extends Readonly<Record<string, Setting<unknown>>>>(
  env: NodeJS.ProcessEnv,
  specification: S,
): Settings<S> {
  const known = new Set(Object.values(specification).map((setting) => setting.variable));
  const faults = Object.keys(env)
    .filter((name) => name.startsWith(ours) && !known.has(name))
    .map((name) => `${name} is not a setting of this process`);
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(specification)) {
    try {
      values[key] = valueOf(setting, env[setting.variable]);
    } catch (error) {
      faults.push(`${setting.variable} ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (faults.length > 0) throw new ConfigError(faults.join("; "));
  return values as Settings<S>; // Every key of the specification was read by its own setting above.
}

function valueOf(setting: Setting<unknown>, value: string | undefined): unknown {
  if (value !== undefined && value !== "") return setting.read(value);
  if (setting.absent) return setting.absent.value;
  throw new Error("is missing");
}
