import type { Context } from "../app/context.ts";
import type { Screen } from "../terminal/screen.ts";
import type { Argument, Option } from "./options.ts";
import type { Shape } from "./shape.ts";

type Arguments = Readonly<Record<string, Argument<unknown>>>;
type Options = Readonly<Record<string, Option<unknown>>>;
type Values<D> = {
  readonly [K in keyof D]: D[K] extends Argument<infer T> | Option<infer T> ? T : never;
};

/** An example of use, and what it does. */
export type Example = readonly [command: string, does: string];

/** The input of a command. */
export type Input<A, O, J> = {
  readonly args: A;
  readonly options: O;
  readonly context: Context;
  /** Prints a result before the command ends, or one of many. */
  readonly emit: (result: J) => void;
};

/**
 * A command: how it is called, what it prints for programs and for people, and what it does. Its
 * summary stands in the catalogue, which is all that is loaded of it until it is used.
 */
export type Definition<A extends Arguments, O extends Options, J> = {
  /** More than the summary says, in help. */
  readonly description?: string;
  readonly args: A;
  readonly options: O;
  readonly examples: readonly [Example, ...Example[]];
  /** The output of --json. Undefined for a command whose output is not its own. */
  readonly json: Shape<J> | undefined;
  /** --json prints one line for each result, for results that keep coming. */
  readonly lines?: true;
  /**
   * Does it. A result that it returns is printed; it may have emitted others before, or return
   * none.
   */
  run(input: Input<Values<A>, Values<O>, J>): Promise<J | undefined>;
  /** Shows a result to people. */
  show(result: J, screen: Screen, input: Omit<Input<Values<A>, Values<O>, J>, "emit">): void;
};

/** A command of any kind, as the program runs it. */
export type AnyCommand = {
  readonly description?: string;
  readonly args: Arguments;
  readonly options: Options;
  readonly examples: readonly Example[];
  readonly json: Shape<unknown> | undefined;
  /** Runs it with values that its own definitions read. */
  call(values: CallValues, context: Context, print: Print): Promise<void>;
};

/** The values of arguments and options by name. */
export type CallValues = {
  readonly args: Readonly<Record<string, unknown>>;
  readonly options: Readonly<Record<string, unknown>>;
};

/** The destination of results: as JSON, or on the screen. */
export type Print = {
  readonly screen: Screen;
  json(value: unknown, lines: boolean): void;
  readonly wantsJson: boolean;
};

/** Defines a command. The types of its values and of its JSON follow from how they are declared. */
export function defineCommand<A extends Arguments, O extends Options, J>(
  definition: Definition<A, O, J>,
): AnyCommand {
  const { args, options, examples, json, description } = definition;
  return {
    ...(description === undefined ? {} : { description }),
    args,
    options,
    examples,
    json,
    async call(values, context, print) {
      // The program reads every value by the option or argument of the same name in this very
      // definition.
      const given = { ...(values as { args: Values<A>; options: Values<O> }), context };
      const emit = (result: J): void => {
        if (print.wantsJson && json) print.json(result, definition.lines === true);
        else definition.show(result, print.screen, given);
      };
      const result = await definition.run({ ...given, emit });
      if (result !== undefined) emit(result);
    },
  };
}
