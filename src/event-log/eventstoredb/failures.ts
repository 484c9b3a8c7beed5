import {
  InvalidArgumentError,
  MaxAppendSizeExceededError,
  StreamDeletedError,
  StreamNotFoundError,
  WrongExpectedVersionError,
} from '@eventstore/db-client';
import type { Revision } from '../../kernel/event';
import { NO_STREAM } from '../../kernel/event';
import { AppendRefused, LogUnavailable, RevisionConflict } from '../event-log';

/**
 * What failed cannot succeed by being sent again. A password that is not taken is no such thing: a node that is starting
 * knows nobody yet, and an operator who has changed it will change it here, too.
 */
const FINAL_ERRORS = [InvalidArgumentError, MaxAppendSizeExceededError, StreamDeletedError];

/**
 * What a failed append means. Whatever is neither a conflict nor final leaves its fate open, raw gRPC errors and those
 * of a node that stops included: of 64 appends that had failed at the death of a node, 46 were found written.
 */
export function appendFailure(error: unknown, stream: string, expected: Revision): Error {
  if (error instanceof WrongExpectedVersionError) {
    const actual = typeof error.actualVersion === 'bigint' ? Number(error.actualVersion) : NO_STREAM;
    return new RevisionConflict(stream, expected, actual);
  }
  if (isFinal(error)) {
    return new AppendRefused(`EventStoreDB does not take the events for ${stream}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  return failure(error, `the events for ${stream} may or may not have been written`);
}

export function failure(error: unknown, message: string): Error {
  if (error instanceof LogUnavailable) return error;
  if (error instanceof AppendRefused || isFinal(error)) return error;
  return new LogUnavailable(message, { cause: error });
}

function isFinal(error: unknown): error is Error {
  return FINAL_ERRORS.some((type) => error instanceof type);
}

/** Some errors of the client have no message. */
function reasonOf(error: Error): string {
  if (error instanceof MaxAppendSizeExceededError)
    return `they are larger than ${error.maxAppendSize} bytes together, which is all that it takes at once`;
  return error.message || (error as { type?: string }).type || error.name;
}

export function isMissingStream(error: unknown): boolean {
  return error instanceof StreamNotFoundError;
}
