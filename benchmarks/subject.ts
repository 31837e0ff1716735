/**
 * What a party of a cluster does in a run, stage by stage: a circuit on shares, oblivious transfers alone, or a join.
 * @module
 */
import type { Channel, PartyId } from '@folkmoot/core/channel.js';
import { correlate, dealFor } from '@folkmoot/core/correlate.js';
import type { Correlations } from '@folkmoot/core/correlations.js';
import { withoutDealer } from '@folkmoot/core/dealer-correlations.js';
import { dealPair } from '@folkmoot/core/dealt-pair.js';
import type { Lanes } from '@folkmoot/core/lanes.js';
import type { OtOptions } from '@folkmoot/core/ot-extension.js';
import { pairCorrelations, recvVoles, sendVoles } from '@folkmoot/core/pair-correlations.js';
import { platform } from '@folkmoot/core/platform.js';
import type { Run } from './circuits-process.ts';
import { check, workOf } from './circuits-work.ts';
import { type JoinName, joinDemand, joinNames, joinOf, matchVoles, type PairEnds } from './join-work.ts';
import { randomOts } from './random-ots.ts';

/** Each stage has the channel of the whole roster. Only `preprocess` and `online` are timed. */
export interface Subject {
  preprocess(ch: Channel, options: OtOptions): Promise<void>;
  online(ch: Channel): Promise<void>;
  check(ch: Channel): Promise<void>;
}

export interface Seat {
  readonly self: PartyId;
  readonly participants: readonly PartyId[];
  readonly helper: PartyId | null;
  readonly lanes: Lanes;
}

export function subjectOf(run: Run, seat: Seat): Subject {
  const { work } = run;
  if (work === 'random OTs') return transfers(run);
  return isJoin(work) ? join(work, run, seat) : circuit(work, run, seat);
}

/** What the helper does, from the moment that it is connected. */
export async function dealOf({ work, count, peerCount = count }: Run, ch: Channel, participants: readonly PartyId[]) {
  if (work === 'random OTs') return;
  if (isJoin(work)) {
    const [receiver, sender] = participants as [PartyId, PartyId];
    return dealPair(ch, sender, receiver, joinDemand({ count, peerCount }));
  }
  return dealFor(ch, workOf(work, { self: participants[0]!, roster: participants, count }).demand);
}

function isJoin(work: Run['work']): work is JoinName {
  return (joinNames as readonly string[]).includes(work);
}

function transfers({ count }: Run): Subject {
  const none = async () => undefined;
  return { preprocess: (ch, options) => randomOts(ch, count, options), online: none, check: none };
}

/** The channel of those who compute. */
function among(ch: Channel, helper: PartyId | null): Channel {
  return helper === null ? ch : withoutDealer(ch, helper);
}

function circuit(name: Exclude<Run['work'], JoinName | 'random OTs'>, { count }: Run, seat: Seat): Subject {
  const { self, participants: roster, helper, lanes } = seat;
  const work = workOf(name, { self, roster, count });
  let source: Correlations;
  let results: Uint8Array;
  return {
    async preprocess(ch, options) {
      source = await correlate(ch, { helper, demand: work.demand, rng: platform.randomBytes, options, lanes });
    },
    async online(ch) {
      results = await work.run(among(ch, helper), source);
    },
    check: (ch) => check(among(ch, helper), work, results),
  };
}

/** The first of the two is the receiver. */
function join(name: JoinName, { count, peerCount = count }: Run, { self, participants, helper, lanes }: Seat): Subject {
  const [receiver, sender] = participants as [PartyId, PartyId];
  const role = self === receiver ? 'receiver' : 'sender';
  const peer = self === receiver ? sender : receiver;
  const sizes = { count, peerCount };
  const work = joinOf(name, role, sizes);
  let ends: PairEnds;
  return {
    async preprocess(ch, { base }) {
      const options = base === undefined ? {} : { base };
      const rng = platform.randomBytes;
      if (name === 'matches') {
        const count = matchVoles(sizes);
        if (role === 'receiver') ends = { role, source: { vole: await recvVoles(ch, peer, count, rng, options) } };
        else ends = { role, source: { vole: await sendVoles(ch, peer, count, rng, options) } };
        return;
      }
      const terms = { helper, demand: joinDemand(sizes), rng, options, lanes };
      if (role === 'receiver') ends = { role, source: await pairCorrelations(ch, peer, role, terms) };
      else ends = { role, source: await pairCorrelations(ch, peer, role, terms) };
    },
    online: (ch) => work.run(among(ch, helper), ends),
    check: (ch) => work.check(among(ch, helper)),
  };
}
