/** By name, since the driver's classes for this have no common parent but that of all its errors. */
const UNREACHABLE =
  /^Mongo(Network|ServerSelection|NotConnected|PoolClosed|PoolCleared|TopologyClosed|ClientClosed|OperationTimeout|ConnectionPool)/;
const UNDECIDED = ['RetryableWriteError', 'TransientTransactionError'];

/**
 * What servers answer that stop, start, or are the primary no more, or whose majority does not answer them: the same
 * request may be put again. From the list of error codes in MongoDB's manual.
 */
const AWAY_CODES = new Set([6, 7, 64, 89, 91, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436]);

/** Of Node's sockets: where a connection breaks at the moment of a write, the driver passes them on as they are. */
const BROKEN_SOCKET = /^(EPIPE|ECONN[A-Z]+|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ERR_STREAM_[A-Z_]+)$/;

/** Tells a server that cannot be reached, or cannot answer now, from a mistake. */
export function isUnreachable(error: unknown): boolean {
  const { name, code, hasErrorLabel, errorResponse } = error as {
    name?: string;
    code?: unknown;
    hasErrorLabel?: (label: string) => boolean;
    errorResponse?: unknown;
  };
  if (name !== undefined && UNREACHABLE.test(name)) return true;
  if (typeof code === 'number' && AWAY_CODES.has(code)) return true;
  if (typeof code === 'string' && BROKEN_SOCKET.test(code)) return true;
  if (typeof hasErrorLabel === 'function' && UNDECIDED.some((label) => hasErrorLabel.call(error, label)))
    return true;
  // A connection that breaks in the middle of many writes is told as a failure of these.
  return errorResponse instanceof Error && isUnreachable(errorResponse);
}
