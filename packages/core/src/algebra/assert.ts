/**
 * Assertions: what would be our own mistake stops here, in every build.
 *
 * A failed assertion is no `FolkmootError`: outside, it is reported as INTERNAL, without its text.
 * @module
 */

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}
