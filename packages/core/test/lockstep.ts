/**
 * A network in which all messages that are under way arrive at once: what it counts is what the literature calls rounds.
 *
 * The simulator's chains are longer where a party speaks to one peer after it has heard another without need.
 * @module
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { Channel, PartyId } from '../src/channel/channel.ts';
import { channels } from './channels.ts';

export interface Lockstep<T> {
  /** In the roster's order. */
  readonly values: T[];
  readonly rounds: number;
  readonly bytes: Readonly<Record<PartyId, number>>;
}

/** Bytes of a record before its message. */
const headerBytes = 24;

export async function lockstep<T>(
  parties: readonly PartyId[],
  program: (ch: Channel) => Promise<T>,
): Promise<Lockstep<T>> {
  let underWay: (() => void)[] = [];
  let running = parties.length;
  let rounds = 0;
  const bytes: Record<PartyId, number> = Object.fromEntries(parties.map((party) => [party, 0]));
  const all = channels(parties, {
    write(from, to, record) {
      bytes[from]! += record.length - headerBytes;
      underWay.push(() => all.find(({ self }) => self === to)!.deliver(from, record));
    },
  });
  const values = Promise.all(
    all.map((ch) =>
      program(ch).finally(() => {
        running -= 1;
      }),
    ),
  );
  values.catch(() => undefined);
  await turn();
  while (underWay.length > 0) {
    const arriving = underWay;
    underWay = [];
    rounds += 1;
    for (const deliver of arriving) deliver();
    await turn();
  }
  if (running > 0) throw new Error(`${running} parties wait and nothing is under way`);
  return { values: await values, rounds, bytes };
}
