/**
 * What goes wrong in a seed, and how often: drawn once at its beginning, so that some seeds have one fault alone, some
 * have many, and some none. All of it stops at `calmMs`.
 * @module
 */
import type { Chance } from './chance.ts';

/** Chances: of a frame, of an effect or of a write; each at the moment when it is asked. */
export interface Faults {
  /** Of a frame on the way: a longer wait, or a link that breaks. */
  readonly delay: number;
  readonly cut: number;
  /** Frames of one direction are lost until the other end gives the link up. */
  readonly partition: number;
  /** Of a frame of a session at the relay. */
  readonly drop: number;
  readonly repeat: number;
  readonly reorder: number;
  /** Of any frame: one bit is another. */
  readonly corrupt: number;
  /** Between two effects of a node, or of the coordinator. */
  readonly crash: number;
  /** Of a write: it fails before its transaction, or after it. */
  readonly failBefore: number;
  readonly failAfter: number;
  /** Each 5 s, of each process. */
  readonly clockJump: number;
  readonly pause: number;
  /** Of a message of the coordinator. */
  readonly lie: number;
  /** Each 5 s: the records of a party become others. */
  readonly newRecords: number;
  /** The analyst thinks better of it. */
  readonly cancel: number;
}

const none: Faults = {
  delay: 0,
  cut: 0,
  partition: 0,
  drop: 0,
  repeat: 0,
  reorder: 0,
  corrupt: 0,
  crash: 0,
  failBefore: 0,
  failAfter: 0,
  clockJump: 0,
  pause: 0,
  lie: 0,
  newRecords: 0,
  cancel: 0,
};

/** How often each fault is met where a seed has it, so that a job still gets somewhere. */
const usual: Faults = {
  delay: 0.1,
  cut: 0.012,
  partition: 0.006,
  drop: 0.02,
  repeat: 0.02,
  reorder: 0.02,
  corrupt: 0.008,
  crash: 0.008,
  failBefore: 0.02,
  failAfter: 0.02,
  clockJump: 0.1,
  pause: 0.06,
  lie: 0.06,
  newRecords: 0.05,
  cancel: 0.3,
};

/** Moments that decide most: a seed may have its fault just there, again and again. */
export interface Focus {
  readonly fault: keyof Faults;
  /** Begins or ends the name of the moment. */
  readonly moment: string;
  readonly often: number;
}

const moments: Readonly<Partial<Record<keyof Faults, readonly string[]>>> = {
  crash: [
    'saving RECEIVED',
    'saving ACCEPTED',
    'saving RUNNING',
    'saving COMMITTED',
    'saving OPENING',
    'saving HALTED',
    'telling',
    'telling renounced',
    'the word to commit',
    'sending an opening',
    'save',
    'sending',
  ],
  cut: ['bulk', 'session'],
  partition: ['bulk'],
  failBefore: ['ACCEPTED', 'RUNNING', 'COMMITTED', 'OPENING', 'HALTED', 'ABORTED', 'save'],
  failAfter: ['ACCEPTED', 'RUNNING', 'COMMITTED', 'OPENING', 'HALTED', 'RESULT', 'save', 'insert'],
};

/** Two seeds of five have such a moment. */
export function drawFocus(chance: Chance): Focus | undefined {
  if (!chance.hits(0.4)) return undefined;
  const fault = chance.pick(Object.keys(moments) as (keyof Faults)[]);
  return { fault, moment: chance.pick(moments[fault]!), often: chance.pick([0.1, 0.3, 0.6]) };
}

export function drawFaults(chance: Chance): Faults {
  // One seed in 20 has none; the others one to four kinds, and those harder than usual or softer.
  const kinds = chance.hits(0.05) ? 0 : chance.between(1, 4);
  const names = Object.keys(usual) as (keyof Faults)[];
  const drawn = { ...none };
  for (let n = 0; n < kinds; n++) {
    const name = chance.pick(names);
    drawn[name] = usual[name] * chance.pick([0.4, 1, 2.5]);
  }
  return drawn;
}
