/**
 * The structured log of a long-running process: JSON lines on stderr, which carry no record.
 * @module
 */
import { pino } from 'pino';

const levels = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/** `FOLKMOOT_LOG` names the level; `info` unless it does. */
export function createLog(env: Readonly<Record<string, string | undefined>>): pino.Logger {
  const asked = env.FOLKMOOT_LOG;
  const level = levels.find((name) => name === asked) ?? 'info';
  // Written at once: the last lines before a fall are the ones that matter.
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  );
}
