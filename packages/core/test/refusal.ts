/** The typed error that a call ends with. @module */
import { type FolkmootError, isFolkmootError } from '../src/channel/errors.ts';

export function refusalOf(run: () => unknown): FolkmootError {
  try {
    run();
  } catch (error) {
    if (isFolkmootError(error)) return error;
    throw error;
  }
  throw new Error('it was accepted');
}
