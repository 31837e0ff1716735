import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeFrame, encodeFrame, frameType, sessionId } from '../src/frame.ts';
import type { FrameLink } from '../src/link.ts';
import { Relay } from '../src/relay.ts';
import { absenceMsMax, ResumableStream, windowBytes } from '../src/resumable-stream.ts';

const parties = ['ash', 'birch', 'cedar'];
const attempt = { job: new Uint8Array(32).fill(1), attempt: 1, roster: parties };
const sessionOf = (a: number, b: number) => sessionId(attempt.job, 1, parties[a]!, parties[b]!);

interface Timer {
  readonly atMs: number;
  readonly action: () => void;
}

/** A party's link to the relay: what is on its way, up and down, until it is cut. */
interface Line {
  readonly up: Uint8Array[];
  readonly down: Uint8Array[];
  readonly atRelay: FrameLink;
}

/** Three streams and a relay, over lines on which a frame moves when the test says so. */
function world() {
  const timers = new Set<Timer>();
  let nowMs = 0;
  const clock = {
    now: () => nowMs,
    after(delayMs: number, action: () => void) {
      const timer = { atMs: nowMs + delayMs, action };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
  };
  let relay = new Relay(parties);
  relay.admit(attempt);
  const lines: (Line | undefined)[] = parties.map(() => undefined);
  const failures: (string | undefined)[] = parties.map(() => undefined);
  const sent = new Map<string, Uint8Array[]>();
  const arrived = new Map<string, Uint8Array[]>();
  /** Every frame of a session that was ever put on a link, by its sender, receiver and number. */
  const seen = new Map<string, Uint8Array>();
  const kept = (lists: Map<string, Uint8Array[]>, way: string) => lists.get(way) ?? lists.set(way, []).get(way)!;

  const streams = parties.map(
    (_, self) =>
      new ResumableStream({
        self,
        sessions: parties.flatMap((party, index) =>
          index === self ? [] : [{ party, index, session: sessionOf(self, index) }],
        ),
        clock,
        deliver(bytes) {
          kept(arrived, `${decodeFrame(bytes).from}-${self}`).push(bytes);
        },
        onFailed(error) {
          failures[self] = error.code;
        },
      }),
  );

  const join = (self: number) => {
    if (lines[self] !== undefined) return;
    const [up, down]: Uint8Array[][] = [[], []];
    const atRelay = { send: async (bytes: Uint8Array) => void down!.push(bytes) } as unknown as FrameLink;
    const line = { up: up!, down: down!, atRelay };
    lines[self] = line;
    relay.attach(parties[self]!, atRelay);
    streams[self]!.linked(async (bytes) => {
      const { type, from, to, sequence } = decodeFrame(bytes);
      const copy = Uint8Array.from(bytes);
      if (type === frameType.session) {
        const name = `${from}-${to}-${sequence}`;
        expect(seen.get(name) ?? copy).toEqual(copy);
        seen.set(name, copy);
      }
      line.up.push(copy);
    });
  };
  const cut = (self: number) => {
    const line = lines[self];
    if (line === undefined) return;
    lines[self] = undefined;
    relay.detach(parties[self]!, line.atRelay);
    streams[self]!.unlinked();
  };
  /** The next frame on its way, up or down, arrives. */
  const move = (self: number, way: 'up' | 'down') => {
    const bytes = lines[self]?.[way].shift();
    if (bytes === undefined) return false;
    if (way === 'up') void relay.forward(parties[self]!, bytes);
    else void streams[self]!.receive(decodeFrame(bytes), bytes);
    return true;
  };
  const pass = (ms: number) => {
    const untilMs = nowMs + ms;
    for (;;) {
      const due = [...timers].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      timers.delete(due);
      nowMs = due.atMs;
      due.action();
    }
    nowMs = untilMs;
  };
  return {
    streams,
    lines,
    failures,
    sent,
    arrived,
    timers,
    seen,
    join,
    cut,
    move,
    pass,
    send(from: number, to: number, payload: Uint8Array): Promise<void> {
      const list = kept(sent, `${from}-${to}`);
      const header = { type: frameType.session, session: sessionOf(from, to), from, to, sequence: list.length };
      const bytes = encodeFrame(header, payload);
      list.push(Uint8Array.from(bytes));
      return streams[from]!.send(bytes);
    },
    restartRelay() {
      for (const self of parties.keys()) cut(self);
      relay = new Relay(parties);
    },
    admit: () => relay.admit(attempt),
    /** Everything moves until nothing is on its way. */
    async settle() {
      for (let turn = 0; turn < 3; ) {
        // Pumps go on in turns of their own.
        await new Promise((resolve) => setImmediate(resolve));
        const moved = [...parties.keys()].map((self) => move(self, 'up') || move(self, 'down'));
        turn = moved.includes(true) ? 0 : turn + 1;
      }
    },
  };
}

type Act =
  | { readonly act: 'send'; readonly from: number; readonly to: number; readonly frames: number }
  | { readonly act: 'move'; readonly self: number; readonly way: 'up' | 'down'; readonly frames: number }
  | { readonly act: 'cut' | 'join'; readonly self: number }
  | { readonly act: 'lose' | 'repeat'; readonly self: number; readonly way: 'up' | 'down' }
  | { readonly act: 'pass'; readonly ms: number }
  | { readonly act: 'restart' | 'admit' | 'breathe' };

const self = fc.nat({ max: 2 });
const way = fc.constantFrom<('up' | 'down')[]>('up', 'down');
const anyAct: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ act: fc.constant('send'), from: self, to: self, frames: fc.nat({ max: 9 }) }),
  },
  { weight: 8, arbitrary: fc.record({ act: fc.constant('move'), self, way, frames: fc.nat({ max: 9 }) }) },
  { weight: 4, arbitrary: fc.record({ act: fc.constantFrom('cut', 'join', 'join', 'join'), self }) },
  { weight: 3, arbitrary: fc.record({ act: fc.constantFrom('lose', 'repeat'), self, way }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('pass'), ms: fc.nat({ max: 600 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ act: fc.constantFrom('restart', ...Array(5).fill('admit'), ...Array(5).fill('breathe')) }),
  },
) as fc.Arbitrary<Act>;

async function perform(place: ReturnType<typeof world>, act: Act): Promise<void> {
  switch (act.act) {
    case 'send':
      if (act.from === act.to) return;
      for (let frame = 0; frame < act.frames; frame++) void place.send(act.from, act.to, new Uint8Array(frame));
      return;
    case 'move':
      for (let frame = 0; frame < act.frames; frame++) place.move(act.self, act.way);
      return;
    case 'cut':
      return place.cut(act.self);
    case 'join':
      return place.join(act.self);
    case 'lose':
      place.lines[act.self]?.[act.way].shift();
      return;
    case 'repeat': {
      const line = place.lines[act.self]?.[act.way];
      if (line?.[0] !== undefined) line.unshift(line[0]);
      return;
    }
    case 'pass':
      return place.pass(act.ms);
    case 'restart':
      return place.restartRelay();
    case 'admit':
      return place.admit();
    case 'breathe':
      await new Promise((resolve) => setImmediate(resolve));
  }
}

const text = (sentence: string) => Buffer.from(sentence);

describe('a stream', () => {
  it('brings every frame once, in order and unchanged, whatever was cut, lost, repeated and begun anew', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyAct, { minLength: 40, maxLength: 160, size: 'max' }), async (acts) => {
        const place = world();
        for (const one of parties.keys()) place.join(one);
        for (const act of acts) await perform(place, act);
        // The faults stop.
        place.admit();
        for (const one of parties.keys()) place.join(one);
        for (let turn = 0; turn < 40 && place.timers.size > 0; turn++) {
          await place.settle();
          place.pass(1_000);
        }
        await place.settle();
        expect(place.arrived).toEqual(place.sent);
        expect(place.streams.map((stream) => stream.heldBytes)).toEqual([0, 0, 0]);
        expect(place.failures).toEqual([undefined, undefined, undefined]);
        // Nothing is asked for any more.
        expect(place.timers.size).toBe(0);
      }),
      { numRuns: 250 },
    );
  });

  it('costs nothing but acknowledgements while nothing breaks', async () => {
    const place = world();
    for (const one of parties.keys()) place.join(one);
    await place.settle();
    const types: number[] = [];
    for (let number = 0; number < 200; number++) {
      void place.send(0, 1, text(`frame ${number}`));
      await new Promise((resolve) => setImmediate(resolve));
      place.move(0, 'up');
      place.move(1, 'down');
      types.push(...place.lines[1]!.up.map((bytes) => decodeFrame(bytes).type));
      place.move(1, 'up');
      place.move(0, 'down');
    }
    expect(types).toEqual([frameType.ack, frameType.ack, frameType.ack]);
    place.pass(250);
    await place.settle();
    expect(place.streams[0]!.heldBytes).toBe(0);
    expect(place.streams[0]!.counts).toEqual({ repeated: 0, early: 0, resent: 0 });
  });

  it('sends again what a cut has lost, the same bytes and no others', async () => {
    const place = world();
    for (const one of parties.keys()) place.join(one);
    await place.settle();
    for (let number = 0; number < 10; number++) void place.send(0, 1, text(`frame ${number}`));
    await new Promise((resolve) => setImmediate(resolve));
    // Eight of them get to the relay, and five to the other end.
    for (let frame = 0; frame < 8; frame++) place.move(0, 'up');
    for (let frame = 0; frame < 5; frame++) place.move(1, 'down');
    expect(place.arrived.get('0-1')).toHaveLength(5);
    place.cut(0);
    place.cut(1);
    place.join(0);
    place.join(1);
    await place.settle();
    expect(place.arrived.get('0-1')).toEqual(place.sent.get('0-1'));
    expect(place.streams[0]!.counts.resent).toBe(5);
    expect(place.streams[1]!.counts).toEqual({ repeated: 0, early: 0, resent: 0 });
  });

  it('makes the computation wait while too much is not acknowledged, and lets it go on', async () => {
    const place = world();
    place.join(0);
    const piece = new Uint8Array(512 * 1024);
    let waiting = 0;
    const sends: Promise<void>[] = [];
    for (let number = 0; number <= windowBytes / piece.length; number++) {
      waiting++;
      sends.push(
        place.send(0, 1, piece).then(() => {
          waiting--;
        }),
      );
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(waiting).toBe(2);
    place.join(1);
    for (let turn = 0; turn < 10; turn++) {
      await place.settle();
      place.pass(1_000);
    }
    await Promise.all(sends);
    expect(place.streams[0]!.heldBytes).toBe(0);
  });

  it('fails with LINK_LOST when there is no link for a minute, and not a moment before', () => {
    const place = world();
    place.join(0);
    place.cut(0);
    place.pass(absenceMsMax - 1);
    place.join(0);
    place.cut(0);
    place.pass(absenceMsMax - 1);
    expect(place.failures[0]).toBeUndefined();
    place.pass(1);
    expect(place.failures[0]).toBe('LINK_LOST');
    expect(place.streams[0]!.heldBytes).toBe(0);
  });

  describe('whose computation has ended', () => {
    it('serves a peer that comes back for what it lacks', async () => {
      const place = world();
      place.join(0);
      place.join(1);
      place.cut(1);
      void place.send(0, 1, text('the last word'));
      let isDone = false;
      place.streams[0]!.finish();
      void place.streams[0]!.ended.then(() => {
        isDone = true;
      });
      place.pass(50_000);
      await place.settle();
      expect(isDone).toBe(false);
      place.join(1);
      await place.settle();
      place.pass(1_000);
      await place.settle();
      expect(place.arrived.get('0-1')).toEqual(place.sent.get('0-1'));
      place.pass(250);
      await place.settle();
      expect(isDone).toBe(true);
    });

    it('waits a minute and no longer, and without a word of failure', async () => {
      const place = world();
      place.join(0);
      void place.send(0, 1, text('the last word'));
      place.cut(0);
      place.streams[0]!.finish();
      place.pass(absenceMsMax);
      await place.streams[0]!.ended;
      expect(place.failures[0]).toBeUndefined();
      expect(place.timers.size).toBe(0);
    });

    it('acknowledges at once what it has', async () => {
      const place = world();
      for (const one of parties.keys()) place.join(one);
      await place.settle();
      void place.send(0, 1, text('a word'));
      await place.settle();
      expect(place.streams[0]!.heldBytes).toBeGreaterThan(0);
      place.streams[1]!.finish();
      await place.streams[1]!.ended;
      await place.settle();
      expect(place.streams[0]!.heldBytes).toBe(0);
    });
  });

  describe('that is lied to', () => {
    const header = { session: sessionOf(0, 1), from: 1, to: 0 };
    const forged = (type: 4 | 5 | 6, sequence: number, payload = new Uint8Array(0)) =>
      encodeFrame({ ...header, type, sequence }, payload);
    const hear = (place: ReturnType<typeof world>, bytes: Uint8Array) =>
      place.streams[0]!.receive(decodeFrame(bytes), bytes);

    it('fails where frames are acknowledged that it never sent', async () => {
      const place = world();
      place.join(0);
      void place.send(0, 1, text('one'));
      hear(place, forged(frameType.ack, 2));
      expect(place.failures[0]).toBe('BAD_SEQUENCE');
    });

    it('fails where a word has the wrong form, or another’s name', () => {
      const lies = [
        forged(frameType.ack, 0, new Uint8Array(1)),
        forged(frameType.ask, 0),
        forged(frameType.resume, 0, new Uint8Array(5)),
        encodeFrame({ ...header, from: 2, type: frameType.ack, sequence: 0 }, new Uint8Array(0)),
        encodeFrame({ ...header, to: 2, type: frameType.session, sequence: 0 }, new Uint8Array(9)),
      ];
      const codes = lies.map((lie) => {
        const place = world();
        place.join(0);
        hear(place, lie);
        return place.failures[0];
      });
      expect(codes).toEqual(['BAD_FRAME', 'BAD_FRAME', 'BAD_FRAME', 'WRONG_SESSION', 'WRONG_SESSION']);
    });

    it('hands on nothing but what it was sent: a forged acknowledgement can only make it wait', async () => {
      const place = world();
      for (const one of parties.keys()) place.join(one);
      await place.settle();
      void place.send(0, 1, text('one'));
      void place.send(0, 1, text('two'));
      await new Promise((resolve) => setImmediate(resolve));
      place.lines[0]!.up.length = 0;
      hear(place, forged(frameType.ack, 1));
      for (let turn = 0; turn < 40; turn++) {
        await place.settle();
        place.pass(1_000);
      }
      expect(place.arrived.get('0-1')).toBeUndefined();
      expect(place.failures).toEqual([undefined, undefined, undefined]);
    });
  });

  it('is not used for other frames than its own', () => {
    const place = world();
    place.join(0);
    const wrong = encodeFrame(
      { type: frameType.session, session: sessionOf(0, 1), from: 0, to: 1, sequence: 3 },
      new Uint8Array(1),
    );
    expect(() => place.streams[0]!.send(wrong)).toThrow(RangeError);
  });
});
