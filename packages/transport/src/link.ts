/**
 * A link: an ordered, lossless way for frames to one other process, until it breaks. It hides nothing and proves
 * nothing; sessions do that.
 *
 * Sends  frames as they are
 * @module
 */

/** What a WebSocket, a MessagePort and a pair in memory have in common. */
export interface FrameLink {
  /**
   * Sends one frame, which from then on belongs to the link. Resolves when the link can take more.
   * @throws TransportError LINK_LOST
   */
  send(frame: Uint8Array): Promise<void>;
  /**
   * Sets the one receiver of frames; frames that came before wait for it. When it returns a promise the link reads on
   * only after it settles: that is the back-pressure of whoever forwards.
   */
  onFrame(receiver: (frame: Uint8Array) => void | Promise<void>): void;
  /** Calls this once when the link has ended, with the reason unless it was closed here. At once if it has already. */
  onClose(listener: (reason?: Error) => void): void;
  close(): void;
}
