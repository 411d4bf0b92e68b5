import type { Argument, Option } from "./options.ts";

/**
 * How an option is typed: `allowDangerousNames` as --allow-dangerous-names, one that takes away as
 * --no-NAME.
 */
export function flagOf(key: string, option: Option<unknown>): string {
  const name = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return option.kind === "unless" ? `--no-${name}` : `--${name}`;
}

/** How an option is declared to the parser, with its value. */
export function declarationOf(key: string, option: Option<unknown>): string {
  const short = option.short === undefined ? "" : `${option.short}, `;
  const takesValue = option.kind === "value" || option.kind === "list";
  const name = option.value ?? "text";
  const value = option.bare === undefined ? ` <${name}>` : ` [${name}]`;
  return `${short}${flagOf(key, option)}${takesValue ? value : ""}`;
}

/** How an argument is declared to the parser. */
export function argumentDeclarationOf(key: string, argument: Argument<unknown>): string {
  const name = argument.value ?? key;
  const declarations = {
    required: `<${name}>`,
    optional: `[${name}]`,
    several: `<${name}...>`,
    any: `[${name}...]`,
    rest: `<${name}...>`,
  };
  return declarations[argument.kind];
}
