/** A workspace package, as its package.json and turbo.json describe it. */
export type Package = {
  readonly dir: string;
  readonly name: string;
  readonly tag: string;
  readonly exports: Readonly<Record<string, unknown>>;
  /** Names in dependencies, devDependencies and optionalDependencies. */
  readonly dependencies: readonly string[];
  /** Names in dependencies alone: what is installed with the package. */
  readonly shipped: readonly string[];
};

/**
 * The installed packages by their path in the lock file, such as "gateway" or "node_modules/pg".
 */
export type Lock = Readonly<
  Record<string, { readonly dependencies: readonly string[]; readonly linkTo?: string }>
>;

/** A TypeScript file that people write; the path is relative to the repository's root. */
export type SourceFile = { readonly path: string; readonly text: string };

/** Which tags a package with the tag may import. */
export type TagTable = Readonly<Record<string, readonly string[]>>;

/** Everything that the boundary rules look at. */
export type Tree = {
  readonly tags: TagTable;
  readonly packages: readonly Package[];
  readonly lock: Lock;
  readonly files: readonly SourceFile[];
  /** Every path that people name, folders included, relative to the root. */
  readonly paths: readonly string[];
};
