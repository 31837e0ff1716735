/**
 * The relay's and the coordinator's bad side: frames of sessions that are dropped, repeated, reordered or changed, and
 * messages that are changed, invented, or old ones once more.
 *
 * Whoever holds the coordinator holds the links' ends: what is invented here is numbered as it should be.
 * @module
 */
import type { SignedAcceptance } from '@folkmoot/core/acceptance.js';
import { partiesOf } from '@folkmoot/core/charter.js';
import { ProtocolError, reportOf, TransportError } from '@folkmoot/core/errors.js';
import { type CoordinatorMessage, controlWriter, decodeCoordinatorMessage } from '@folkmoot/transport/control.js';
import { coordinatorIndex, decodeFrame, frameType } from '@folkmoot/transport/frame.js';
import type { Moot, Party } from './moot.ts';
import type { Tap } from './wire.ts';
import type { World } from './world.ts';

/** Old messages that are kept for later. */
const keptMax = 200;

export class Liar {
  readonly #world: World;
  readonly #moot: Moot;
  readonly #kept: CoordinatorMessage[] = [];

  constructor(world: World, moot: Moot) {
    this.#world = world;
    this.#moot = moot;
  }

  /** What passes to a node over one link. */
  toNode(party: Party): Tap {
    const write = controlWriter(coordinatorIndex, partiesOf(this.#moot.charter).indexOf(party));
    const relayed = this.relayed();
    const lies = this.#world.has('lie');
    return (bytes) => {
      if (bytes[1] !== frameType.control) return relayed(bytes);
      if (!lies) return [this.#flipped(bytes)];
      const message = decodeCoordinatorMessage(decodeFrame(bytes).payload);
      return this.#told(message).map((one) => this.#flipped(write(one)));
    };
  }

  /** What passes of a session. */
  relayed(): Tap {
    let held: Uint8Array | undefined;
    const world = this.#world;
    return (bytes) => {
      if (bytes[1] !== frameType.session) return [this.#flipped(bytes)];
      if (world.hits('drop')) {
        world.note('drop', 'a frame is dropped');
        return [];
      }
      if (world.hits('repeat')) {
        world.note('repeat', 'a frame is repeated');
        return [bytes, bytes];
      }
      if (held === undefined && world.hits('reorder')) {
        world.note('reorder', 'a frame comes after the next one');
        held = bytes;
        return [];
      }
      const after = held === undefined ? [] : [held];
      held = undefined;
      return [this.#flipped(bytes), ...after];
    };
  }

  #flipped(bytes: Uint8Array): Uint8Array {
    const world = this.#world;
    if (!world.hits('corrupt')) return bytes;
    world.note('corrupt', 'a bit of a frame is another');
    const changed = Uint8Array.from(bytes);
    changed[world.chance.below(changed.length)]! ^= 1 << world.chance.below(8);
    return changed;
  }

  /** What is told in the place of this message. */
  #told(message: CoordinatorMessage): CoordinatorMessage[] {
    const world = this.#world;
    if (this.#kept.length < keptMax && 'job' in message) this.#kept.push(message);
    // Before the welcome nothing else is due.
    if (message.type === 'challenge') return [message];
    // A party that has opened does not take it back, whoever says so.
    if (message.type === 'stored' && world.hits('lie')) {
      const { job, epoch } = message;
      world.note('lie cancel after the opening', 'the coordinator lies: cancel after the opening');
      return [{ type: 'cancel', job, epoch }, message];
    }
    const first = world.hits('lie') ? this.#changed(message) : message;
    if (message.type === 'welcome' || !world.hits('lie')) return [first];
    return [first, ...this.#invented()];
  }

  #changed(message: CoordinatorMessage): CoordinatorMessage {
    const { chance } = this.#world;
    const lie = (what: string, told: CoordinatorMessage) => {
      this.#world.note(`lie ${what}`, `the coordinator lies: ${what}`);
      return told;
    };
    // As if another one had taken the job over: what this one says from here on is stale.
    if ('job' in message && chance.hits(0.25)) return lie('higher epoch', { ...message, epoch: message.epoch + 1 });
    switch (message.type) {
      case 'welcome':
        return lie('old epoch', { ...message, epoch: chance.below(message.epoch + 1) });
      case 'cancel':
      case 'signed':
        return lie('old epoch', { ...message, epoch: chance.between(1, message.epoch) });
      case 'invite': {
        const { exact, protected: noisy } = this.#moot.jobs;
        const { signed } = chance.pick([...exact, ...noisy]);
        return lie('another job under this id', { ...message, signed });
      }
      case 'start':
        if (message.renunciations !== undefined && chance.hits(0.5)) {
          return lie('renunciations left out', { ...message, renunciations: message.renunciations.slice(1) });
        }
        return lie('other acceptances', { ...message, acceptances: this.#otherAcceptances(message.acceptances) });
      case 'again':
      case 'abort':
      case 'stored':
        if (chance.hits(0.5)) return lie('old epoch', { ...message, epoch: chance.between(1, message.epoch) });
        return lie('wrong attempt', { ...message, attempt: chance.between(1, 3) });
      default:
        return message;
    }
  }

  /** Of another job, or one of them twice, or one too few: each is the good word of its party. */
  #otherAcceptances(given: readonly object[]): object[] {
    const { chance } = this.#world;
    const at = chance.below(given.length);
    const { party } = (given[at] as SignedAcceptance).acceptance;
    const others = this.#kept.flatMap((one) => (one.type === 'start' ? one.acceptances : [])) as SignedAcceptance[];
    const another = others.filter((one) => one.acceptance.party === party && one !== given[at]);
    if (another.length === 0 || chance.hits(0.3)) return given.filter((_, index) => index !== at);
    return given.with(at, chance.pick(another));
  }

  /** Something that nobody has said, about a job that was spoken of; or an old message. */
  #invented(): CoordinatorMessage[] {
    const { chance } = this.#world;
    const spoken = chance.pick(this.#kept.length === 0 ? [undefined] : this.#kept);
    if (spoken === undefined || !('job' in spoken)) return [];
    const { job, epoch } = spoken;
    const attempt = chance.between(1, 3);
    const kinds = ['old', 'stored', 'again', 'abort', 'cancel'] as const;
    const kind = chance.pick(kinds);
    this.#world.note(`lie invented ${kind}`, `the coordinator invents: ${kind}`);
    switch (kind) {
      case 'old':
        return [spoken];
      case 'stored':
        return [{ type: 'stored', job, epoch, attempt }];
      case 'again':
        return [{ type: 'again', job, epoch, attempt, report: reportOf(new TransportError('LINK_LOST')) }];
      case 'abort':
        return [
          { type: 'abort', job, epoch, attempt, report: reportOf(new ProtocolError('STALLED', { party: 'ash' })) },
        ];
      case 'cancel':
        return [{ type: 'cancel', job, epoch }];
    }
  }
}
