/** The package's `reveille/client`. */
export type { ConnectionOptions } from './connection';
export { ReveilleClient } from './reveille-client';
export type { ReveilleErrorCode } from './reveille-error';
export { ReveilleError } from './reveille-error';
export type * from './types';
export { hasSucceeded, isFinalRun, isSettled } from './until';
export type { Waiting } from './until';
