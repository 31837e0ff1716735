/**
 * A TCP proxy on loopback that breaks what passes through it: on command, or by a plan that a seed makes.
 *
 * Two words name the ways: `forth` to the target, `back` from it. What a plan does depends on how many bytes have passed
 * (both ways, all connections together) and on nothing else, so the same seed breaks the same traffic at the same places.
 *
 * - *cut* ends every connection at once; what was on its way is lost. New connections are let in.
 * - *close* cuts, and lets nobody in until *heal*: the cable is out.
 * - *stall* passes nothing on and loses nothing, until *heal*.
 * - *throttle* passes so many bytes a second each way, until *heal*.
 * - *flip* turns one bit of the next byte that passes.
 * - *truncate* passes so many bytes more, and then ends that connection in good form: the target sees a clean end.
 * @module
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { seededRng } from '@folkmoot/core/prg.js';

export type Way = 'forth' | 'back';

export type Fault =
  | { readonly fault: 'cut' }
  | { readonly fault: 'close'; readonly forMs?: number }
  | { readonly fault: 'stall'; readonly forMs?: number }
  | { readonly fault: 'throttle'; readonly bytesPerSecond: number; readonly forMs?: number }
  | { readonly fault: 'flip'; readonly way: Way }
  | { readonly fault: 'truncate'; readonly way: Way; readonly afterBytes: number };

/** A fault that happens by itself once so many bytes have passed. */
export interface Planned {
  readonly atByte: number;
  readonly fault: Fault;
}

export interface FaultProxyOptions {
  readonly plan?: readonly Planned[];
  /** Every byte that was passed on, as it was received. */
  readonly onPiece?: (way: Way, piece: Uint8Array) => void;
}

export interface FaultProxy {
  readonly port: number;
  /** So far, over all connections and both ways. */
  readonly passedBytes: number;
  /** Connections that were let in so far, and those that are open. */
  readonly connections: { readonly made: number; readonly open: number };
  /** The faults that have happened, in their order. */
  readonly happened: readonly Fault[];
  break(fault: Fault): void;
  /** Ends what lasts: the door is open, and everything passes at full speed. */
  heal(): void;
  stop(): Promise<void>;
}

/** No piece is larger, so that a throttled way is even and a plan's place is met to the byte. */
const pieceBytesMax = 16 * 1024;

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
}

/** Listens on a free loopback port and forwards to another, and breaks as it is told. */
export async function faultProxy(targetPort: number, options: FaultProxyOptions = {}): Promise<FaultProxy> {
  const pairs = new Set<Pair>();
  const plan = [...(options.plan ?? [])].sort((a, b) => a.atByte - b.atByte);
  const happened: Fault[] = [];
  const truncating: Partial<Record<Way, number>> = {};
  const flipping: Record<Way, number> = { forth: 0, back: 0 };
  const timers = new Set<NodeJS.Timeout>();
  let [passedBytes, made] = [0, 0];
  let [isClosed, isStopped] = [false, false];
  let bytesPerSecond = Number.POSITIVE_INFINITY;
  let gate: PromiseWithResolvers<void> | undefined;

  const heal = () => {
    isClosed = false;
    bytesPerSecond = Number.POSITIVE_INFINITY;
    gate?.resolve();
    gate = undefined;
  };
  const cut = () => {
    for (const { near, far } of pairs) for (const socket of [near, far]) socket.resetAndDestroy();
    pairs.clear();
  };
  const lasting = (forMs: number | undefined) => {
    if (forMs !== undefined) pause(forMs, heal);
  };
  const pause = (ms: number, action: () => void) => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      action();
    }, ms);
    timers.add(timer);
  };
  const happen = (fault: Fault) => {
    happened.push(fault);
    switch (fault.fault) {
      case 'cut':
        return cut();
      case 'close':
        isClosed = true;
        cut();
        return lasting(fault.forMs);
      case 'stall':
        gate ??= Promise.withResolvers();
        return lasting(fault.forMs);
      case 'throttle':
        bytesPerSecond = fault.bytesPerSecond;
        return lasting(fault.forMs);
      case 'flip':
        flipping[fault.way]++;
        return undefined;
      case 'truncate':
        truncating[fault.way] = fault.afterBytes;
        return undefined;
    }
  };

  /** How much of this much may pass before the next thing happens. */
  const roomFor = (way: Way, bytes: number): number => {
    const untilNext = plan.length === 0 ? bytes : Math.max(1, plan[0]!.atByte - passedBytes);
    return Math.min(bytes, pieceBytesMax, untilNext, truncating[way] ?? bytes);
  };

  /** One way of one connection, until its end or a fault. */
  const pump = async (from: Socket, to: Socket, way: Way): Promise<void> => {
    for await (const chunk of from.iterator({ destroyOnReturn: false })) {
      for (let rest = chunk as Buffer; rest.length > 0; ) {
        if (truncating[way] === 0) {
          delete truncating[way];
          to.end();
          // What the sender still says is for nobody.
          from.resume();
          return;
        }
        const piece = rest.subarray(0, roomFor(way, rest.length));
        rest = rest.subarray(piece.length);
        await gate?.promise;
        if (to.destroyed || isStopped) return;
        if (flipping[way] > 0) {
          flipping[way]--;
          piece[0]! ^= 1;
        }
        options.onPiece?.(way, piece);
        const hasRoom = to.write(piece);
        passedBytes += piece.length;
        if (truncating[way] !== undefined) truncating[way] -= piece.length;
        while (plan.length > 0 && plan[0]!.atByte <= passedBytes) happen(plan.shift()!.fault);
        if (Number.isFinite(bytesPerSecond)) {
          const { promise, resolve } = Promise.withResolvers<void>();
          pause((1000 * piece.length) / bytesPerSecond, resolve);
          await promise;
        }
        if (!hasRoom && !to.destroyed) await Promise.race([once(to, 'drain'), once(to, 'close')]);
      }
    }
    to.end();
  };

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    if (isClosed || isStopped) {
      near.resetAndDestroy();
      return;
    }
    made++;
    const far = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const pair = { near, far };
    pairs.add(pair);
    for (const [from, to, way] of [
      [near, far, 'forth'],
      [far, near, 'back'],
    ] as const) {
      // The loss of one side is that of the connection.
      from.on('error', () => to.resetAndDestroy());
      from.on('close', () => {
        if (near.destroyed && far.destroyed) pairs.delete(pair);
      });
      // What breaks a pump has broken its sockets.
      pump(from, to, way).catch(() => to.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get passedBytes() {
      return passedBytes;
    },
    get connections() {
      return { made, open: pairs.size };
    },
    happened,
    break: happen,
    heal,
    async stop() {
      isStopped = true;
      for (const timer of timers) clearTimeout(timer);
      cut();
      heal();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface PlanShape {
  /** How many faults, and up to which byte. */
  readonly faults: number;
  readonly bytes: number;
  /** What may happen; all that heals by itself unless given. */
  readonly kinds?: readonly Fault['fault'][];
  /** How long what lasts does at most. */
  readonly forMsMax?: number;
}

/** Faults at places that the seed decides. */
export function seededPlan(seed: number, shape: PlanShape): readonly Planned[] {
  const { faults, bytes, kinds = ['cut', 'close', 'stall', 'throttle', 'flip', 'truncate'], forMsMax = 500 } = shape;
  const rng = seededRng(seed);
  const below = (end: number) => Math.floor((Buffer.from(rng(6)).readUIntLE(0, 6) / 2 ** 48) * end);
  const make = (): Fault => {
    const fault = kinds[below(kinds.length)]!;
    const way: Way = below(2) === 0 ? 'forth' : 'back';
    const forMs = 1 + below(forMsMax);
    switch (fault) {
      case 'cut':
        return { fault };
      case 'close':
      case 'stall':
        return { fault, forMs };
      case 'throttle':
        return { fault, forMs, bytesPerSecond: 1_000 + below(100_000) };
      case 'flip':
        return { fault, way };
      case 'truncate':
        return { fault, way, afterBytes: below(2_000) };
    }
  };
  return Array.from({ length: faults }, () => ({ atByte: 1 + below(bytes), fault: make() })).sort(
    (a, b) => a.atByte - b.atByte,
  );
}
