import { expect, it } from 'vitest';
import { toHex, utf8 } from '../src/algebra/bytes.ts';
import type { Context } from '../src/channel/channel.ts';
import { Transcript } from '../src/channel/transcript.ts';

const context: Context = { job: new Uint8Array(32), attempt: 1, roster: ['a', 'b'] };

function hashOf(purpose: string, where: Context, values: [string, string, string][]): string {
  const transcript = new Transcript(purpose, where);
  for (const [sender, label, value] of values) transcript.absorb(sender, label, utf8(value));
  return toHex(transcript.hash());
}

it('is the same for those who saw the same, and for nobody else', () => {
  const seen: [string, string, string][] = [
    ['a', 'l', 'x'],
    ['b', 'l', 'y'],
  ];
  const hash = hashOf('p', context, seen);
  expect(hashOf('p', context, seen)).toBe(hash);
  const others = [
    hashOf('q', context, seen),
    hashOf('p', { ...context, attempt: 2 }, seen),
    hashOf('p', { ...context, job: new Uint8Array(32).fill(1) }, seen),
    hashOf('p', { ...context, roster: ['a', 'b', 'c'] }, seen),
    hashOf('p', { ...context, roster: ['ab'] }, seen),
    hashOf('p', context, [...seen].reverse()),
    hashOf('p', context, seen.slice(0, 1)),
    hashOf('p', context, [...seen, ['', '', '']]),
    hashOf('p', context, [['b', 'l', 'x'], seen[1]!]),
    hashOf('p', context, [['a', 'm', 'x'], seen[1]!]),
    hashOf('p', context, [['a', 'lx', ''], seen[1]!]),
    hashOf('p', context, [['a', 'l', 'z'], seen[1]!]),
  ];
  expect(new Set([hash, ...others]).size).toBe(others.length + 1);
});

it('does not depend on the order of arrival within a round', () => {
  const [one, other] = [new Transcript('p', context), new Transcript('p', context)];
  one.absorbRound(
    'l',
    new Map([
      ['a', utf8('x')],
      ['b', utf8('y')],
    ]),
  );
  other.absorbRound(
    'l',
    new Map([
      ['b', utf8('y')],
      ['a', utf8('x')],
    ]),
  );
  expect(one.hash()).toEqual(other.hash());
  expect(() => one.absorbRound('l', new Map([['a', utf8('x')]]))).toThrow('assertion failed');
  expect(() =>
    one.absorbRound(
      'l',
      new Map([
        ['a', utf8('x')],
        ['c', utf8('y')],
      ]),
    ),
  ).toThrow('assertion failed');
});
