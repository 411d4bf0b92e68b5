// Names of the DOM's types in the declarations of playwright-core, of which no test uses one.
type Node = object;
type HTMLElement = object;
type SVGElement = object;
type HTMLElementTagNameMap = Record<string, object>;
