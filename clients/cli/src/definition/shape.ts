/** The output of --json: the keys of an object, each with its meaning. */
export type Shape<T> = {
  readonly kind: "text" | "integer" | "boolean" | "time" | "list" | "object" | "map";
  readonly means: string;
  readonly nullable: boolean;
  readonly keys?: Readonly<Record<string, Shape<unknown>>>;
  readonly items?: Shape<unknown>;
  /** Never read: it carries the type. */
  readonly type?: T;
};

/** The type of what a shape describes. */
export type ValueOf<S> = S extends Shape<infer T> ? T : never;

type Keys = Readonly<Record<string, Shape<unknown>>>;
type ObjectOf<K extends Keys> = { readonly [Key in keyof K]: ValueOf<K[Key]> };

function plain<T>(kind: Shape<T>["kind"], means: string): Shape<T> {
  return { kind, means, nullable: false };
}

/** A text. */
export function text(means: string): Shape<string> {
  return plain("text", means);
}

/** A whole number. */
export function integer(means: string): Shape<number> {
  return plain("integer", means);
}

/** True or false. */
export function boolean(means: string): Shape<boolean> {
  return plain("boolean", means);
}

/** A time in RFC 3339, in UTC. */
export function time(means: string): Shape<string> {
  return plain("time", means);
}

/** A shape that may be null. */
export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return { ...shape, nullable: true };
}

/** An object with exactly these keys. */
export function object<K extends Keys>(keys: K, means = ""): Shape<ObjectOf<K>> {
  return { kind: "object", means, nullable: false, keys };
}

/** A list of such items. */
export function listOf<T>(items: Shape<T>, means = ""): Shape<readonly T[]> {
  return { kind: "list", means, nullable: false, items };
}

/** An object whose keys are names of the user's own. */
export function mapOf<T>(items: Shape<T>, means: string): Shape<Readonly<Record<string, T>>> {
  return { kind: "map", means, nullable: false, items };
}

/**
 * Says where a value differs from a shape, such as "[0].name"; nothing when it fits, to the last
 * key.
 */
export function differences(shape: Shape<unknown>, value: unknown, at = ""): string[] {
  if (value === null) return shape.nullable ? [] : [`${at}: null`];
  switch (shape.kind) {
    case "object":
      return keyDifferences(shape.keys ?? {}, value, at);
    case "list": {
      const { items } = shape;
      if (!Array.isArray(value) || !items) return [`${at}: not a list`];
      return value.flatMap((each, index) => differences(items, each, `${at}[${index}]`));
    }
    case "map": {
      const { items } = shape;
      if (typeof value !== "object" || !items) return [`${at}: not an object`];
      return Object.entries(value).flatMap(([key, each]) =>
        differences(items, each, `${at}.${key}`),
      );
    }
    case "text":
      return typeof value === "string" ? [] : [`${at}: not a text`];
    case "time":
      return typeof value === "string" && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value)
        ? []
        : [`${at}: not a time`];
    case "integer":
      return Number.isSafeInteger(value) ? [] : [`${at}: not a whole number`];
    case "boolean":
      return typeof value === "boolean" ? [] : [`${at}: not true or false`];
    default:
      return shape.kind satisfies never;
  }
}

function keyDifferences(keys: Keys, value: unknown, at: string): string[] {
  if (typeof value !== "object" || value === null) return [`${at}: not an object`];
  const entries = Object.entries(value);
  const unknown = entries.flatMap(([key]) =>
    Object.hasOwn(keys, key) ? [] : [`${at}.${key}: not documented`],
  );
  const rest = Object.entries(keys).flatMap(([key, shape]) =>
    Object.hasOwn(value, key)
      ? differences(shape, Reflect.get(value, key), `${at}.${key}`)
      : [`${at}.${key}: missing`],
  );
  return [...unknown, ...rest];
}
