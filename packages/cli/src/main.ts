/**
 * The command line: reads the arguments, runs one command, and gives the process its exit code.
 * @module
 */
import { createRequire } from 'node:module';
import { InputError } from '@folkmoot/core/errors.js';
import { Command, CommanderError, Option } from 'commander';
import type { CommandSpec, Invocation } from './command.ts';
import { exitCodeHelp, exitCodes } from './exit-code.ts';
import { onInterrupt } from './interrupt.ts';
import { createOutput, type Streams } from './output.ts';
import { createProgress } from './progress.ts';

/** A command that was told to stop and does not within this time is left where it is. */
const stopMsMax = 20_000;

/** A command is loaded when it is asked for: a node has no need of the analyst's part. `--help` loads them all. */
const commands: Readonly<Record<string, () => Promise<CommandSpec<object>>>> = {
  demo: async () => (await import('./commands/demo.ts')).demo,
  run: async () => (await import('./commands/run.ts')).run,
  explain: async () => (await import('./commands/explain.ts')).explain,
  keygen: async () => (await import('./commands/keygen.ts')).keygen,
  'charter seal': async () => (await import('./commands/charter-seal.ts')).charterSeal,
  'charter verify': async () => (await import('./commands/charter-verify.ts')).charterVerify,
  coordinator: async () => (await import('./commands/coordinator.ts')).coordinator,
  node: async () => (await import('./commands/node.ts')).node,
  'node joins': async () => (await import('./commands/node-joins.ts')).nodeJoins,
  'node period': async () => (await import('./commands/node-period.ts')).nodePeriod,
  'node waiting': async () => (await import('./commands/node-waiting.ts')).nodeWaiting,
  approve: async () => (await import('./commands/approve.ts')).approve,
  deny: async () => (await import('./commands/deny.ts')).deny,
  revoke: async () => (await import('./commands/revoke.ts')).revoke,
  doctor: async () => (await import('./commands/doctor.ts')).doctor,
  'audit verify': async () => (await import('./commands/audit-verify.ts')).auditVerify,
  'audit export': async () => (await import('./commands/audit-export.ts')).auditExport,
  'audit confirm': async () => (await import('./commands/audit-confirm.ts')).auditConfirm,
  ledger: async () => (await import('./commands/ledger.ts')).ledger,
  submit: async () => (await import('./commands/submit.ts')).submit,
  watch: async () => (await import('./commands/watch.ts')).watch,
  result: async () => (await import('./commands/result.ts')).result,
  verify: async () => (await import('./commands/verify.ts')).verify,
  cancel: async () => (await import('./commands/cancel.ts')).cancel,
  budget: async () => (await import('./commands/budget.ts')).budget,
};

function commandsFor(argv: readonly string[]): string[] {
  const [first] = argv.filter((word) => !word.startsWith('-'));
  const asked = Object.keys(commands).filter((name) => name.split(' ')[0] === first);
  return asked.length > 0 ? asked : Object.keys(commands);
}

/** Runs one command line and ends the process. */
export async function main(argv: readonly string[]): Promise<void> {
  const code = await perform(argv, { stdout: process.stdout, stderr: process.stderr });
  // What was written must be out before the end; open sockets and timers must not keep the process.
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}

/** Runs one command line over these streams and gives the exit code. */
export async function perform(argv: readonly string[], streams: Streams): Promise<number> {
  const output = createOutput(streams, argv.includes('--json'));
  const interrupt = onInterrupt();
  interrupt.signal.addEventListener('abort', () => {
    setTimeout(() => process.exit(interrupt.exitCode), stopMsMax).unref();
  });
  // `folkmoot … | head` closes the pipe early: that is no failure of ours.
  for (const stream of [streams.stdout, streams.stderr]) stream.on('error', ignoreClosedPipe);
  let exitCode: number | undefined;
  const invocation: Invocation = {
    output,
    progress: createProgress(streams.stderr),
    signal: interrupt.signal,
    env: process.env,
    cwd: process.cwd(),
  };
  try {
    const program = await createProgram(argv, streams, async (spec, args, options) => {
      exitCode = await spec.run(invocation, args, options);
    });
    await program.parseAsync(argv, { from: 'user' });
    return exitCode ?? exitCodes.ok.code;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return exitCodes.ok.code;
      const detail = error.code === 'commander.help' ? 'name a command' : error.message.replace(/^error: /, '');
      return output.failure(new InputError('BAD_USAGE', { detail }));
    }
    invocation.progress.clear();
    const code = output.failure(error);
    return interrupt.exitCode ?? code;
  } finally {
    interrupt.release();
    for (const stream of [streams.stdout, streams.stderr]) stream.off('error', ignoreClosedPipe);
  }
}

function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

type Perform = (spec: CommandSpec<object>, args: readonly string[], options: object) => Promise<void>;

async function createProgram(argv: readonly string[], streams: Streams, perform: Perform): Promise<Command> {
  const { version } = createRequire(import.meta.url)('../package.json') as { version: string };
  const program = new Command('folkmoot')
    .description('One statistic over the records of several agencies, while the records stay at home.')
    .version(version)
    .helpCommand('help [command]', 'show the help of a command');
  configure(program, streams);
  program.addHelpText('after', `\n${examplesHelp(programExamples)}\n\nExit codes:\n${exitCodeHelp()}`);
  const groups = new Map<string, Command>();
  for (const name of commandsFor(argv)) {
    const spec = await commands[name]!();
    const [first = '', second] = name.split(' ');
    if (second === undefined) {
      const command = createCommand(spec, first, streams, perform);
      // A command of its own may have others below it; then its options stand before their names.
      groups.set(first, command.enablePositionalOptions());
      program.addCommand(command);
      continue;
    }
    let group = groups.get(first);
    if (group === undefined) {
      group = new Command(first).description(groupTexts[first] ?? '');
      configure(group, streams);
      groups.set(first, group);
      program.addCommand(group);
    }
    group.addCommand(createCommand(spec, second, streams, perform));
  }
  return program;
}

const groupTexts: Readonly<Record<string, string>> = {
  charter: 'seal a charter, and check a sealed one',
  audit: 'a party’s audit log: verify it, write it for an auditor, confirm a restored state',
};

const programExamples = [
  'folkmoot demo',
  'folkmoot run job.yaml --consortium nodes',
  'folkmoot explain job.yaml --consortium nodes',
];

function createCommand(spec: CommandSpec<object>, name: string, streams: Streams, perform: Perform): Command {
  const command = new Command(name).description(spec.summary);
  configure(command, streams);
  for (const [form, text] of spec.arguments ?? []) command.argument(form, text);
  for (const { flags, text, isRequired } of spec.options ?? []) {
    command.addOption(new Option(flags, text).makeOptionMandatory(isRequired === true));
  }
  command.addHelpText('after', `\n${examplesHelp(spec.examples)}\n\nExit codes:\n${exitCodeHelp()}`);
  return command.action(async () => {
    await perform(spec, command.processedArgs.flat().filter(isText), command.opts());
  });
}

function configure(command: Command, streams: Streams): void {
  command
    .option('--json', 'one JSON document on stdout, everything else on stderr')
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => streams.stdout.write(text),
      writeErr: (text) => streams.stderr.write(text),
      outputError: () => {},
    });
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function examplesHelp(examples: readonly string[]): string {
  return `Examples:\n${examples.map((line) => `  $ ${line}`).join('\n')}`;
}
