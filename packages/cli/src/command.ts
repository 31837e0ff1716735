/**
 * The form of a command: one file in `commands/` declares one of these, and `main` hands it what it may touch.
 * @module
 */
import type { Output } from './output.ts';
import type { Progress } from './progress.ts';

/** What every command is given; nothing else of the process is touched by one. */
export interface Invocation {
  readonly output: Output;
  readonly progress: Progress;
  /** Aborted by Ctrl-C, SIGTERM, SIGHUP and the end of the process above. */
  readonly signal: AbortSignal;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

export interface CommandOption {
  /** As commander reads it: `--out <folder>`, `--party <id=folder...>`, `--analyst`. */
  readonly flags: string;
  readonly text: string;
  readonly isRequired?: boolean;
}

export interface CommandSpec<Options extends object> {
  readonly summary: string;
  /** `<job>`, `[folder]` and what they mean. */
  readonly arguments?: readonly (readonly [form: string, text: string])[];
  readonly options?: readonly CommandOption[];
  readonly examples: readonly string[];
  /** Gives an exit code where it is not 0. Failures are thrown. */
  run(invocation: Invocation, args: readonly string[], options: Options): Promise<number | undefined>;
}
