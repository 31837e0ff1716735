/**
 * What is done to a consortium while it works, as a seed decides: processes are killed and started again, or held for less
 * than a heartbeat or longer; lines are cut, closed, stalled, throttled, and bits on them are turned.
 *
 * An effect comes after so many lines of all logs together: so it acts while something happens, and never in a pause.
 * @module
 */
import type { Fault, Way } from '@folkmoot/testkit/fault-proxy.js';
import type { Chance } from './chance.ts';
import { type Moot, type Town, towns } from './moot.ts';
import type { Sightings } from './oracle.ts';

type Effect =
  | { readonly effect: 'kill'; readonly whom: readonly string[]; readonly awayMs: number }
  | { readonly effect: 'hold'; readonly who: string; readonly forMs: number }
  | { readonly effect: 'break'; readonly town: Town; readonly fault: Fault };

export interface Planned {
  readonly afterLines: number;
  readonly effect: Effect;
}

const services = ['coordinator', ...towns];
/** Two heartbeats that are not answered end a link: these are on both sides of that. */
const holdMs = [200, 1_000, 3_000, 12_000];

export function seededEffects(chance: Chance, { effects, lines }: { effects: number; lines: number }): Planned[] {
  const make = (): Effect => {
    const [town, who, forMs] = [chance.oneOf(towns), chance.oneOf(services), 50 + chance.below(2_000)];
    const way = chance.oneOf<Way>(['forth', 'back']);
    switch (chance.below(10)) {
      case 0:
      case 1:
      case 2:
        return { effect: 'kill', whom: [who], awayMs: chance.below(1_500) };
      case 3:
        return { effect: 'kill', whom: chance.shuffled(services), awayMs: chance.below(500) };
      case 4:
      case 5:
        return { effect: 'hold', who, forMs: chance.oneOf(holdMs) };
      case 6:
        return { effect: 'break', town, fault: { fault: 'close', forMs } };
      case 7:
        return { effect: 'break', town, fault: { fault: 'stall', forMs } };
      case 8:
        return { effect: 'break', town, fault: { fault: 'throttle', bytesPerSecond: 20_000, forMs } };
      default: {
        const afterBytes = chance.below(2_000);
        const faults: Fault[] = [{ fault: 'cut' }, { fault: 'truncate', way, afterBytes }, { fault: 'flip', way }];
        return { effect: 'break', town, fault: chance.oneOf(faults) };
      }
    }
  };
  return Array.from({ length: effects }, () => ({ afterLines: 1 + chance.below(lines), effect: make() })).sort(
    (a, b) => a.afterLines - b.afterLines,
  );
}

export interface Chaos {
  /** What has happened so far, in words. */
  readonly happened: readonly string[];
  /** Nothing more happens; resolves when what has begun is over. */
  end(): Promise<void>;
}

/** Lets the plan happen to a consortium, from now on. */
export function unleash(moot: Moot, plan: readonly Planned[], sightings: Sightings): Chaos {
  const left = [...plan];
  const happened: string[] = [];
  const underWay: Promise<void>[] = [];
  let lines = 0;

  const kill = async (who: string, awayMs: number) => {
    const service = moot.service(who);
    if (!service.isAlive) return;
    await service.kill();
    if (who !== 'coordinator') sightings.look(moot, who as Town);
    await new Promise((resolve) => setTimeout(resolve, awayMs));
    if (!service.isAlive) await service.start();
  };
  const happen = async (effect: Effect): Promise<void> => {
    happened.push(`${lines}: ${JSON.stringify(effect)}`);
    switch (effect.effect) {
      case 'kill':
        await Promise.all(effect.whom.map((who, place) => kill(who, effect.awayMs * (place + 1))));
        return;
      case 'hold': {
        const service = moot.service(effect.who);
        service.hold();
        await new Promise((resolve) => setTimeout(resolve, effect.forMs));
        service.goOn();
        return;
      }
      case 'break':
        moot.lines.get(effect.town)!.break(effect.fault);
    }
  };
  const stop = moot.onLine(() => {
    lines++;
    while (left.length > 0 && left[0]!.afterLines <= lines) {
      const done = happen(left.shift()!.effect);
      // Whoever ends the chaos hears of it.
      done.catch(() => undefined);
      underWay.push(done);
    }
  });
  return {
    happened,
    async end() {
      stop();
      await Promise.all(underWay);
    },
  };
}
