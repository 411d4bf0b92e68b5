import { posix } from "node:path";
import { chainTo } from "./closure.ts";
import { importsOf, packageOf } from "./imports.ts";
import type { Package, SourceFile, Tree } from "./tree.ts";

type Restriction = { readonly what: string; readonly found: RegExp; readonly allowed: RegExp };

// What browsers run imports nothing of Node, save for the one module that Node alone chooses.
const notPortable =
  /^(?!clients\/typescript\/src\/core\/|proto\/(?:signing\/(?!sha256\/node\.ts)|verifying\/))/;

/**
 * Powers that few places may hold, by the import or name that gives them. Tests are free of these.
 */
const restrictedImports: readonly Restriction[] = [
  {
    what: "pg",
    found: /^pg$/,
    allowed: /^(services\/lib\/postgres|deploy\/local|test)\//,
  },
  { what: "ioredis", found: /^ioredis$/, allowed: /^(gateway|services\/policy|test)\// },
  // Elsewhere what is told goes through the closed lists of names that the library keeps.
  {
    what: "OpenTelemetry",
    found: /^@opentelemetry\//,
    allowed: /^(services\/lib\/telemetry|test)\//,
  },
  { what: "HPKE", found: /^@hpke\//, allowed: /^(services\/crypto|clients\/typescript|test)\// },
  {
    what: "an internal contract",
    found: /^@sallyport\/proto\/.*\/internal\//,
    allowed: /^(?!clients\/|deploy\/)/,
  },
  { what: "Node's modules", found: /^node:/, allowed: notPortable },
];

const nodeGlobals: Restriction = {
  what: "a global of Node",
  found: /\b(?:Buffer|process)\.\w/,
  allowed: notPortable,
};

const aead: Restriction = {
  what: "AEAD",
  found: /\bcreate(?:C|Dec)ipheriv\b|\bsubtle\s*\.\s*(?:en|de)crypt\b/,
  allowed: /^(proto\/keyring|services\/crypto|clients\/typescript|test)\//,
};

// Packages that must not be installed with a process, by whatever chain of dependencies: images are
// built from packages, so an import that is only a type would still bring them along.
const forbiddenInClosure: readonly { readonly dirs: readonly string[]; readonly name: string }[] = [
  { dirs: ["gateway", "services/crypto"], name: "pg" },
];

const drawerName = /^(utils?|helpers?|common|misc|shared)$/i;
const serverExports = JSON.stringify({ "./server": "./src/server.ts" });

/** Checks the tree against every rule and returns one sentence for each violation. */
export function findViolations(tree: Tree): string[] {
  return [
    ...tree.packages.flatMap((owner) => packageViolations(owner, tree)),
    ...tree.files.flatMap((file) => fileViolations(file, tree)),
    ...closureViolations(tree),
    ...missingPages(tree),
    ...tree.paths.filter(isDrawer).map((path) => `${path}: name it after what it holds`),
    ...tree.paths
      .filter(isStraySupport)
      .map((path) => `${path}: test support stands in the package's src/testing`),
  ];
}

function packageViolations(owner: Package, tree: Tree): string[] {
  if (tree.tags[owner.tag] === undefined) return [`${owner.dir}: turbo.json has no known tag`];
  const closed = owner.tag === "service" || owner.tag === "gateway";
  const open = closed && JSON.stringify(owner.exports) !== serverExports;
  return [
    ...(open ? [`${owner.dir}: exports something else than ./server`] : []),
    ...owner.dependencies.flatMap((name) =>
      tagViolations(`${owner.dir}/package.json`, owner, name, tree),
    ),
    ...unusedDependencies(owner, tree).map(
      (name) => `${owner.dir}/package.json: nothing imports ${name}`,
    ),
  ];
}

/**
 * What is shipped with a package is what its product needs; tests find the rest in the root's
 * node_modules.
 */
function unusedDependencies(owner: Package, tree: Tree): string[] {
  const sources = tree.files.filter(({ path }) => ownerOf(path, tree) === owner);
  const counted = sources.filter((file) => owner.tag === "test" || !isTest(file));
  const imported = new Set(counted.flatMap(({ text }) => importsOf(text)).map(packageOf));
  return owner.shipped.filter((name) => !imported.has(name));
}

function closureViolations({ lock }: Tree): string[] {
  return forbiddenInClosure.flatMap(({ dirs, name }) =>
    dirs.flatMap((dir) => {
      const chain = chainTo(lock, dir, name);
      return chain ? [`${dir}: must not bring ${name}: ${chain.join(" → ")}`] : [];
    }),
  );
}

function fileViolations(file: SourceFile, tree: Tree): string[] {
  const owner = ownerOf(file.path, tree);
  const specifiers = importsOf(file.text);
  const imported = specifiers.flatMap((specifier) => restrictionViolations(file, specifier));
  const ciphers = [aead, nodeGlobals].flatMap((used) =>
    breaks(used, file, file.text) ? [`${file.path}: uses ${used.what}`] : [],
  );
  if (owner === undefined) return [...imported, ...ciphers];
  return [
    ...imported,
    ...ciphers,
    ...specifiers.flatMap((specifier) => importViolations(file, owner, specifier, tree)),
  ];
}

/** Pages that files refer to by section, as SIGNING §3, and that are not in the repository. */
function missingPages(tree: Tree): string[] {
  const there = new Set(
    tree.paths.filter((path) => path.endsWith(".md")).map((path) => posix.basename(path)),
  );
  return tree.files.flatMap(({ path, text }) => {
    const pages = new Set(
      [...text.matchAll(/(?<!-)\b([A-Z]{3,}) §/g)].map(([, page]) => `${page}.md`),
    );
    return [...pages]
      .filter((page) => !there.has(page))
      .map((page) => `${path}: there is no ${page}`);
  });
}

function restrictionViolations(file: SourceFile, specifier: string): string[] {
  const broken = restrictedImports.filter((restriction) => breaks(restriction, file, specifier));
  return broken.map(({ what }) => `${file.path}: imports ${what}`);
}

function breaks({ found, allowed }: Restriction, file: SourceFile, text: string): boolean {
  return found.test(text) && !allowed.test(file.path) && !isTest(file);
}

function importViolations(
  file: SourceFile,
  owner: Package,
  specifier: string,
  tree: Tree,
): string[] {
  if (specifier.startsWith(".")) {
    if (!isTest(file) && specifier.includes("/testing/"))
      return [`${file.path}: ${specifier} is for tests`];
    return escapes(file, owner, specifier)
      ? [`${file.path}: ${specifier} leaves ${owner.dir}`]
      : [];
  }
  const name = packageOf(specifier);
  if (name === undefined || (isTest(file) && specifier === "@sallyport/test/infra")) return [];
  const forbidden = tagViolations(file.path, owner, name, tree);
  const declared = name === owner.name || owner.dependencies.includes(name) || isTest(file);
  return forbidden.length > 0 || declared
    ? forbidden
    : [`${file.path}: ${name} is not in ${owner.dir}/package.json`];
}

function escapes(file: SourceFile, owner: Package, specifier: string): boolean {
  return !posix.join(posix.dirname(file.path), specifier).startsWith(`${owner.dir}/`);
}

function tagViolations(where: string, owner: Package, name: string, tree: Tree): string[] {
  const target = tree.packages.find((candidate) => candidate.name === name);
  if (target === undefined || target === owner || tree.tags[owner.tag]?.includes(target.tag))
    return [];
  return [`${where}: ${owner.tag} must not import ${target.name} (${target.tag})`];
}

function ownerOf(path: string, tree: Tree): Package | undefined {
  return tree.packages.find(({ dir }) => path.startsWith(`${dir}/`));
}

/**
 * Tests, and what stands in a package's folder `src/testing` for them; nothing else may import from
 * such a folder.
 */
function isTest({ path }: SourceFile): boolean {
  return path.endsWith(".test.ts") || path.includes("/src/testing/");
}

// Elsewhere product code could import it unnoticed.
function isStraySupport(path: string): boolean {
  if (!/^(proto|services|gateway|clients|deploy)\//.test(path)) return false;
  return /\/(testing|fixtures?)(\/|\.|$)/.test(path) && !/\/src\/testing(\/|$)/.test(path);
}

function isDrawer(path: string): boolean {
  return drawerName.test(posix.basename(path).split(".")[0] ?? "");
}
