const xxdWidth = 60;

/** A text in hexadecimal, in both cases, whole and in the lines of `xxd -p`. */
export function hexForms(text: string): string[] {
  const hex = Buffer.from(text, "utf8").toString("hex");
  const wrapped = hex.match(new RegExp(`.{1,${xxdWidth}}`, "g")) ?? [];
  const all = [hex, ...wrapped];
  return [...all, ...all.map((form) => form.toUpperCase())];
}

/**
 * A text as it stands in HTML, as the usual libraries write it: quotes by name, by number, or as
 * they are.
 */
export function htmlForms(text: string): string[] {
  const bare = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const quotes = [
    ["&quot;", "&#39;"],
    ["&quot;", "&#x27;"],
    ["&quot;", "&#039;"],
    ["&#34;", "&#39;"],
    ["&quot;", "'"],
  ] as const;
  return [bare, ...quotes.map(([two, one]) => bare.replaceAll('"', two).replaceAll("'", one))];
}

// Characters that bash escapes with a backslash (lib/sh/shquote.c); it escapes ~ and # only at the
// beginning.
const barred = /[\t !"$&'()*,;<>?[\\\]^`{|}]/g;

/**
 * A text as shells show it: within single quotes, where bash and zsh write a quote as '\'' and dash
 * as '"'"'; with backslashes, as by printf %q; within double quotes, as by declare -p; and within
 * $'…', for control characters.
 */
export function shellForms(text: string): string[] {
  const barredText = text.replaceAll(barred, String.raw`\$&`).replace(/^[~#]/, String.raw`\$&`);
  return [
    text.replaceAll("'", String.raw`'\''`),
    text.replaceAll("'", `'"'"'`),
    barredText,
    text.replaceAll(/["$`\\]/g, String.raw`\$&`),
    ansiC(text),
  ];
}

const named: Readonly<Record<string, string>> = {
  "\u0007": "a",
  "\b": "b",
  "\u001b": "E",
  "\f": "f",
  "\n": "n",
  "\r": "r",
  "\t": "t",
  "\v": "v",
};

function ansiC(text: string): string {
  return text
    .replaceAll(/[\\']/g, String.raw`\$&`)
    .replaceAll(/\p{Cc}/gu, (control) => `\\${named[control] ?? octal(control)}`);
}

function octal(control: string): string {
  return control.charCodeAt(0).toString(8).padStart(3, "0");
}

/** A text as Python's repr shows it, of a str and of its bytes, within either quote. */
export function pythonForms(text: string): string[] {
  const escaped = text.replaceAll("\\", "\\\\").replaceAll(/\p{Cc}/gu, pythonControl);
  const bytes = escaped.replaceAll(/[^\p{ASCII}]/gu, (character) =>
    [...Buffer.from(character, "utf8")].map((byte) => `\\x${hexByte(byte)}`).join(""),
  );
  const forms = [escaped, bytes];
  return [...forms, ...forms.map((form) => form.replaceAll("'", String.raw`\'`))];
}

function pythonControl(control: string): string {
  const short = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }[control];
  return short ?? `\\x${hexByte(control.charCodeAt(0))}`;
}

function hexByte(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}
