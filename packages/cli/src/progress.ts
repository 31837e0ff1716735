/**
 * Progress for people: one line that is written over on a terminal, and nothing at all elsewhere.
 * @module
 */
import type { Streams } from './output.ts';

export interface Progress {
  readonly isShown: boolean;
  /** Replaces the line. */
  update(line: string): void;
  /** Ends the line and keeps it on the screen. */
  keep(line: string): void;
  /** Takes the line away. */
  clear(): void;
}

const silent: Progress = { isShown: false, update() {}, keep() {}, clear() {} };

export function createProgress(stream: Streams['stderr']): Progress {
  if (stream.isTTY !== true) return silent;
  const eraseLine = '\r\u001b[2K';
  let last = '';
  const fit = (line: string) => {
    // A terminal that does not know its width says 0.
    const room = Math.max(20, (stream.columns || 80) - 1);
    return line.length <= room ? line : `${line.slice(0, room - 1)}…`;
  };
  return {
    isShown: true,
    update(line) {
      if (line === last) return;
      last = line;
      stream.write(`${eraseLine}${fit(line)}`);
    },
    keep(line) {
      last = '';
      stream.write(`${eraseLine}${line}\n`);
    },
    clear() {
      if (last !== '') stream.write(eraseLine);
      last = '';
    },
  };
}
