/** What one client can make the server take in or hold. A test holds the table in `docs/security.md` against these. */

export const httpLimits = {
  /** A wakeup, payload and context included, must fit into one append (1 MiB at the smallest backend). */
  bodyBytes: 512 * 1024,
  /** Of the request line and all headers together. */
  headerBytes: 16 * 1024,
  urlBytes: 8 * 1024,
  /** Of one name or id in a path. */
  pathParameterBytes: 2_000,
  queryParameters: 100,
  /** Of objects and lists in a body: whatever handles a value later may go down as deep as the value does. */
  jsonDepth: 100,
  /** Wrong fields that one refusal names. */
  issues: 50,
  /** From the connection, or the first byte of a further request on it, to the last header. */
  headersMs: 10_000,
  /** From there on to the last byte of the body. */
  requestMs: 60_000,
  /** So often it is looked for requests that take too long. */
  checkMs: 2_000,
  /** Between two requests on one connection. */
  keepAliveMs: 65_000,
} as const;

export const liveLimits = {
  /** Of a message to the server: clients send subscriptions, nothing else. */
  messageBytes: 16 * 1024,
  /** For a connection to say which namespace it wants, with its token. */
  connectMs: 10_000,
  subscriptionsPerSocket: 100,
  /** Sockets and event streams that are open with one token of a company. The server's own has no limit. */
  streamsPerToken: 500,
  /** The same for the token of a run. */
  streamsPerRun: 20,
} as const;
