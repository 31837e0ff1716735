import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { Channel } from '@folkmoot/core/channel.js';
import { correlate } from '@folkmoot/core/correlate.js';
import type { Correlations, Demand } from '@folkmoot/core/correlations.js';
import { ProtocolError, reportOf } from '@folkmoot/core/errors.js';
import { lanesFor } from '@folkmoot/core/lanes.js';
import type { OtOptions } from '@folkmoot/core/ot-extension.js';
import { platform } from '@folkmoot/core/platform.js';
import type { SessionChannel } from '@folkmoot/core/session.js';
import { channelContract } from '@folkmoot/testkit/channel-contract.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { idealBaseOts } from '../../core/test/relations.ts';
import { channelOver } from '../src/correlation-thread-channel.ts';
import { CorrelationThreads } from '../src/correlation-thread-pool.ts';
import { failureOf } from '../src/failure.ts';
import type { NetworkOrder } from './channel-thread.ts';
import { memoryChannels } from './memory-channels.ts';

const three = ['camden', 'hackney', 'islington'];

channelContract('a port to the thread that holds the sessions', async (parties, program) => {
  const network = new Worker(new URL('./channel-thread.ts', import.meta.url));
  const pipes = new Map(parties.map((party) => [party, new MessageChannel()]));
  const order = (next: NetworkOrder, moved: MessagePort[] = []) => network.postMessage(next, moved);
  const ports = new Map([...pipes].map(([party, { port2 }]) => [party, port2]));
  order({ ports }, [...ports.values()]);
  const outcomes = new Map();
  const context = { job: new Uint8Array(32), attempt: 1, roster: parties };
  await Promise.all(
    Array.from(pipes, async ([self, { port1 }]) => {
      const seat = { self, peers: parties.filter((party) => party !== self), context };
      try {
        outcomes.set(self, { value: await program(channelOver(port1, seat)) });
      } catch (error) {
        outcomes.set(self, { error });
        order({ failed: self, report: reportOf(error) });
      }
    }),
  );
  for (const { port1 } of pipes.values()) port1.close();
  await network.terminate();
  return outcomes;
});

/** Two lanes, and little work. */
const demand: Demand = { bitTriples: 3_200_000, triples: 130, sharedBits: 300 };
const small: Demand = { bitTriples: 320, triples: 5, sharedBits: 33 };
/** Base OTs are made before there are threads. */
const ideal: OtOptions = { base: idealBaseOts };
const real: OtOptions = {};

describe('threads for correlations', () => {
  let started: Worker[];
  let pools: CorrelationThreads[];
  const count = (worker: Worker) => started.push(worker);
  beforeEach(() => {
    started = [];
    pools = [];
    process.on('worker', count);
  });
  afterEach(async () => {
    process.off('worker', count);
    await Promise.all(pools.map((pool) => pool.close()));
  });

  const pool = (cores: number): CorrelationThreads => {
    const made = new CorrelationThreads(cores);
    pools.push(made);
    return made;
  };

  /** What each party comes to; one that fails ends its channel, as a network does. */
  function run(all: readonly SessionChannel[], wanted: Demand, cores: number, options: OtOptions = ideal) {
    return Promise.allSettled(
      all.map(async (ch) => {
        const lanes = pool(cores);
        try {
          return await correlate(ch, { helper: null, demand: wanted, rng: platform.randomBytes, lanes, options });
        } catch (error) {
          leave(all, ch);
          throw error;
        } finally {
          await lanes.close();
        }
      }),
    );
  }

  function leave(all: readonly SessionChannel[], gone: Channel): void {
    for (const ch of all) {
      if (ch.self !== gone.self) ch.fail(new ProtocolError('PARTY_FAILED', { party: gone.self }), gone.self);
    }
  }

  const ended = () => Promise.all(started.map((worker) => worker.threadId === -1 || once(worker)));
  const once = (worker: Worker) => new Promise((resolve) => worker.once('exit', resolve));
  const codes = (outcomes: readonly PromiseSettledResult<unknown>[]) =>
    outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.code : 'ok'));

  it('make what the relations ask for among three, and end with their work', async () => {
    expect(lanesFor(demand)).toBe(2);
    const outcomes = await run(memoryChannels(three), demand, 2, real);
    expect(codes(outcomes)).toEqual(['ok', 'ok', 'ok']);
    expect(started.length).toBe(3 * 2);
    await ended();
    await expectRelations(
      outcomes.map((outcome) => (outcome as PromiseFulfilledResult<Correlations>).value),
      demand,
    );
  });

  it('are none for a small demand, nor on one core', async () => {
    for (const [wanted, cores] of [
      [small, 4],
      [demand, 1],
    ] as const) {
      const outcomes = await run(memoryChannels(three.slice(0, 2)), wanted, cores);
      await expectRelations(
        outcomes.map((outcome) => (outcome as PromiseFulfilledResult<Correlations>).value),
        wanted,
      );
    }
    expect(started).toEqual([]);
  });

  it('take several lanes each where there are fewer cores than lanes', async () => {
    const wanted = { ...demand, bitTriples: 6_500_000 };
    expect(lanesFor(wanted)).toBe(4);
    const outcomes = await run(memoryChannels(three.slice(0, 2)), wanted, 3);
    expect(codes(outcomes)).toEqual(['ok', 'ok']);
    expect(started.length).toBe(2 * 3);
  });

  it('that die fail the attempt with a typed error everywhere', async () => {
    process.once('worker', (worker: Worker) => worker.once('online', () => void worker.terminate()));
    const outcomes = await run(memoryChannels(three), demand, 2);
    expect(codes(outcomes).sort()).toEqual(['INTERNAL', 'PARTY_FAILED', 'PARTY_FAILED']);
    await ended();
  });

  it('pass on where a lane broke in a way nobody foresaw', async () => {
    const [ch] = memoryChannels(three);
    const broken = { lanes: 2, demand, keys: [], options: {} };
    const error = await pool(2)
      .run(ch!, broken)
      .catch((reason: unknown) => reason);
    const failure = failureOf(error, 'camden');
    expect(failure.report.code).toBe('INTERNAL');
    expect(failure.detail).toMatch(/^TypeError at .*lanes/);
  });

  it('end with a typed error where a peer stops within an extension', async () => {
    let records = 0;
    const all: SessionChannel[] = memoryChannels(three, (from, _to, deliver) => {
      if (from !== 'islington') return deliver();
      records += 1;
      // Base OTs and trees are there, and part of the extensions; then it is gone for the others, and waits itself.
      if (records <= 16) return deliver();
      if (records === 17) leave(all, all[2]!);
      return new Promise<never>(() => undefined);
    });
    const [camden, hackney, islington] = all as [SessionChannel, SessionChannel, SessionChannel];
    const stopped = run([islington], demand, 2, real);
    const outcomes = await run([camden, hackney], demand, 2, real);
    expect(codes(outcomes)).toEqual(['PARTY_FAILED', 'PARTY_FAILED']);
    // The other may hear of it from the first that does.
    const named = outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.party : undefined));
    expect(named).toContain('islington');
    islington.fail(new ProtocolError('CANCELLED'));
    await pools[0]!.close();
    expect(codes(await stopped)).toEqual(['CANCELLED']);
    await ended();
  });

  it('stop at once when they are told to', async () => {
    // Nobody else is there.
    const [ch] = memoryChannels(three, () => undefined);
    const lanes = pool(2);
    const keys = ['hackney', 'islington'].map((peer) => ({
      peer,
      delta: new Uint8Array(16),
      sent: new Uint8Array(4096),
      chosen: new Uint8Array(2048),
    }));
    const task = { lanes: 2, demand, keys, options: {} };
    const waiting = [0, 1].map((lane) => lanes.run(ch!.fork(`${lane}`), task));
    const results = Promise.allSettled(waiting);
    await lanes.close();
    expect(codes(await results)).toEqual(['CANCELLED', 'CANCELLED']);
    await ended();
    await expect(lanes.run(ch!.fork('late'), task)).rejects.toThrow(expect.objectContaining({ code: 'CANCELLED' }));
    expect(started.length).toBe(2);
  });
});

async function expectRelations(sources: readonly Correlations[], { bitTriples, triples, sharedBits }: Demand) {
  const bits = await Promise.all(sources.map((source) => source.bitTriples(bitTriples)));
  const word = (part: 'a' | 'b' | 'c', i: number) => bits.reduce((sum, each) => sum ^ each[part][i]!, 0);
  for (let i = 0; i < bits[0]!.a.length; i++) {
    if ((word('a', i) & word('b', i)) !== word('c', i)) throw new Error(`bit triples of word ${i} are wrong`);
  }
  const products = await Promise.all(sources.map((source) => source.triples(triples)));
  const element = (part: 'a' | 'b' | 'c', i: number) =>
    BigInt.asUintN(
      64,
      products.reduce((sum, each) => sum + each[part].words[i]!, 0n),
    );
  for (let i = 0; i < triples; i++) {
    expect(BigInt.asUintN(64, element('a', i) * element('b', i))).toBe(element('c', i));
  }
  const shared = await Promise.all(sources.map((source) => source.sharedBits(sharedBits)));
  for (let i = 0; i < sharedBits; i++) {
    const bit = shared.reduce((sum, { xor }) => sum ^ ((xor[i >>> 5]! >>> (i & 31)) & 1), 0);
    expect(
      BigInt.asUintN(
        64,
        shared.reduce((sum, { ring }) => sum + ring.words[i]!, 0n),
      ),
    ).toBe(BigInt(bit));
  }
}
