const forms = [
  /^\s*(?:import|export)\s[^"';]*?from\s*["']([^"']+)["']/gm,
  /^\s*import\s*["']([^"']+)["']/gm,
  /\b(?:import|require|require\.resolve|import\.meta\.resolve)\(\s*["']([^"']+)["']/g,
];

/** Lists what a TypeScript file imports, type-only and dynamic imports included. */
export function importsOf(text: string): string[] {
  return forms.flatMap((form) => [...text.matchAll(form)].map((match) => match[1] ?? ""));
}

/**
 * Returns the package of a specifier, "@scope/name" or "name"; undefined for relative paths and
 * Node's own modules.
 */
export function packageOf(specifier: string): string | undefined {
  if (/^(\.|node:|#)/.test(specifier)) return undefined;
  const parts = specifier.split("/");
  return parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}
