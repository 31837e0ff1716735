/**
 * The coordinator's end of one node's link: login, then control messages, session frames and openings.
 *
 *   node: hello · coordinator: challenge · node: login · coordinator: welcome
 *
 * Until the login is good nothing but its two messages is read, and not for long. Session frames go to the relay unread.
 * Whatever breaks the form ends the link with the code of what was wrong.
 * @module
 */
import { type Charter, charterHash } from '@folkmoot/core/charter.js';
import { TransportError } from '@folkmoot/core/errors.js';
import type { Clock } from '@folkmoot/transport/clock.js';
import {
  type CoordinatorMessage,
  controlReader,
  controlWriter,
  decodeNodeMessage,
  type NodeMessage,
} from '@folkmoot/transport/control.js';
import { coordinatorIndex, decodeFrame, type Frame, frameType } from '@folkmoot/transport/frame.js';
import type { FrameLink } from '@folkmoot/transport/link.js';
import type { Relay } from '@folkmoot/transport/relay.js';
import type { Logger } from 'pino';
import type { Coordinator, PartyLink } from './coordinator.ts';
import { countedLink, type Traffic } from './counted-link.ts';
import { limits } from './limits.ts';
import type { Login } from './login.ts';
import type { CoordinatorMetrics } from './metrics.ts';
import { type InFlight, OpeningCollector } from './opening-collector.ts';

export interface Gate {
  readonly charter: Charter;
  readonly coordinator: Coordinator;
  readonly login: Login;
  readonly relay: Relay;
  readonly clock: Clock;
  readonly log: Logger;
  readonly epoch: number;
  /** Shared by all links. */
  readonly inFlight: InFlight;
  /** Of all links together. */
  readonly traffic: Traffic;
  readonly metrics: CoordinatorMetrics;
}

/** Takes care of a link until it ends. */
export function admit(link: FrameLink, gate: Gate): void {
  new NodeLink(link, gate).begin();
}

type Hello = Extract<NodeMessage, { type: 'hello' }>;

class NodeLink {
  readonly #link: FrameLink;
  readonly #traffic: Traffic;
  readonly #gate: Gate;
  readonly #nonce: string;
  #read: ((frame: Frame) => NodeMessage) | undefined;
  #write: ReturnType<typeof controlWriter> | undefined;
  #hello: Hello | undefined;
  /** Set by a good login. */
  #party: { readonly link: PartyLink; readonly collector: OpeningCollector } | undefined;

  constructor(link: FrameLink, gate: Gate) {
    const counted = countedLink(link, gate.traffic);
    this.#link = counted.link;
    this.#traffic = counted.traffic;
    this.#gate = gate;
    this.#nonce = gate.login.nonce();
  }

  begin(): void {
    const { clock, log, relay, coordinator } = this.#gate;
    const cancel = clock.after(limits.loginMs, () => {
      if (this.#party === undefined) this.#link.close();
    });
    this.#link.onClose((reason) => {
      cancel();
      const code = reason instanceof TransportError ? reason.code : undefined;
      const loggedIn = this.#party !== undefined;
      log.info({ event: 'link-ended', party: this.#hello?.party, loggedIn, code }, 'node link ended');
      this.#gate.metrics.linkEnded(code ?? 'CLOSED');
      if (this.#party === undefined) return;
      log.info({ event: 'link-traffic', party: this.#party.link.party, ...this.#traffic }, 'what passed over the link');
      this.#party.collector.close();
      relay.detach(this.#party.link.party, this.#link);
      coordinator.detach(this.#party.link);
    });
    this.#link.onFrame((bytes) => this.#take(bytes));
  }

  #take(bytes: Uint8Array): void | Promise<void> {
    const frame = decodeFrame(bytes);
    if (this.#party === undefined) return this.#enter(frame);
    switch (frame.type) {
      case frameType.bulk:
        return this.#collect(frame);
      case frameType.control:
        return this.#hear(this.#read!(frame));
      default:
        return this.#gate.relay.forward(this.#party.link.party, bytes);
    }
  }

  /** One of the two messages of the login. */
  #enter(frame: Frame): void {
    this.#read ??= controlReader(frame.from, coordinatorIndex, decodeNodeMessage);
    const message = this.#read(frame);
    if (this.#hello === undefined && message.type === 'hello') this.#challenge(message, frame.from);
    else if (this.#hello !== undefined && message.type === 'login') this.#welcome(this.#hello.party, message.signature);
    else throw new TransportError('BAD_CONTROL', { field: 'type', detail: 'a login is due' });
  }

  #challenge(hello: Hello, from: number): void {
    const { charter, relay } = this.#gate;
    if (relay.indexOf(hello.party) !== from) throw new TransportError('LOGIN_REFUSED', { detail: 'not a party' });
    this.#hello = hello;
    if (hello.charter !== charterHash(charter))
      throw new TransportError('LOGIN_REFUSED', { detail: 'another charter' });
    this.#write = controlWriter(coordinatorIndex, from);
    this.#send({ type: 'challenge', nonce: this.#nonce });
  }

  #welcome(party: string, signature: string): void {
    const { login, log, coordinator, relay, epoch, inFlight, metrics } = this.#gate;
    login.checkParty(party, this.#nonce, signature);
    const { build, instance, probe } = this.#hello!;
    coordinator.checkIdentity(party, instance);
    // The link ends as one that never logged in: for the jobs nobody was here.
    if (probe === true) {
      this.#send({ type: 'welcome', epoch });
      return;
    }
    const link: PartyLink = {
      ...{ party, build, instance },
      isSilent: () => this.#link.isSilent?.() === true,
      send: (message) => this.#send(message),
      close: () => this.#link.close(),
    };
    this.#party = { link, collector: new OpeningCollector(party, inFlight) };
    log.info({ event: 'logged-in', party, build }, 'node logged in');
    metrics.loggedIn();
    this.#send({ type: 'welcome', epoch });
    relay.attach(party, this.#link);
    coordinator.attach(link).catch(() => this.#link.close());
  }

  /** Nothing more is read from the link until the message has had its effect. */
  #hear(message: NodeMessage): void | Promise<void> {
    const { coordinator } = this.#gate;
    const { link, collector } = this.#party!;
    switch (message.type) {
      case 'hello':
      case 'login':
        throw new TransportError('BAD_CONTROL', { field: 'type', detail: 'the login is done' });
      case 'opening': {
        const wanted = coordinator.expects(link.party, message.job, message.attempt);
        collector.announce(message, wanted);
        return wanted ? undefined : coordinator.passOver(link.party, message.job, message.attempt);
      }
      case 'countersigned':
      case 'held':
        return coordinator.passOn(link.party, message);
      case 'budget':
        return coordinator.stated(link.party, message.request, message.statement);
      default:
        return coordinator.heard(link.party, message);
    }
  }

  /** Nothing more is read from the link until a whole opening is durable. */
  #collect(frame: Frame): void | Promise<void> {
    const { coordinator, relay } = this.#gate;
    const { link, collector } = this.#party!;
    const whole = collector.take(frame, relay.indexOf(link.party));
    if (whole === undefined) return undefined;
    return coordinator
      .opened(whole.job, whole.attempt, whole.opening)
      .finally(() => collector.release(whole.opening.sealed.length));
  }

  #send(message: CoordinatorMessage): void {
    // A link that breaks says so by its end.
    this.#link.send(this.#write!(message)).catch(() => undefined);
  }
}
