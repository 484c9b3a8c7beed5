import { z } from 'zod';

/*
 * Where servers of other kinds are found. Not `URL`s: they may name several hosts. They are checked here, and not by
 * their drivers, because those repeat a string that they refuse, and its password with it.
 */

const CREDENTIALS = String.raw`(?:[^:@/?,]+:[^@/?]*@)?`;
const HOST = String.raw`(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?`;
const HOSTS = `${HOST}(?:,${HOST})*`;
const OPTIONS = String.raw`(?:\?[^=&?]+=[^&?]+(?:&[^=&?]+=[^&?]+)*)?`;

const EVENTSTOREDB = new RegExp(`^esdb(\\+discover)?://${CREDENTIALS}(${HOSTS})/?${OPTIONS}$`);
const MONGODB = new RegExp(`^mongodb(\\+srv)?://(?:[^@/?]+@)?(${HOSTS})(?:/[^/?]*)?${OPTIONS}$`);

/** What the client 6.2.1 knows. It only warns of others, repeating the whole string. */
const EVENTSTOREDB_OPTIONS = new Set(
  `userCertFile userKeyFile maxDiscoverAttempts connectionName defaultDeadline discoveryInterval gossipTimeout
   nodePreference tls tlsCAFile keepAliveInterval keepAliveTimeout`
    .split(/\s+/)
    .map(flatCase),
);

/** `esdb://host[:port][,…][?option=value&…]`, or `esdb+discover://` with the one name that leads to all nodes. */
export const eventstoredbUrl = z
  .string()
  .superRefine((text, context) => refuse(problemOfEventstoredb(text), context))
  .default('');

/** `mongodb://host[:port][,…][/database][?option=value&…]`, or `mongodb+srv://` with one name. */
export const mongodbUrl = z
  .string()
  .superRefine((text, context) => refuse(problemOfMongodb(text), context))
  .default('');

/** The hosts of a connection string, to be shown: neither credentials nor options. */
export function hostsOf(url: string): string {
  return /^[^:]+:\/\/(?:[^@/?]*@)?([^/?]*)/.exec(url)?.[1] ?? '';
}

/** The same text without what of the connection string is nobody's business. */
export function withoutSecrets(text: string, url: string): string {
  const [, credentials] = /^[^:]+:\/\/([^@/?]*)@/.exec(url) ?? [];
  if (!credentials) return text;
  const password = credentials.slice(credentials.indexOf(':') + 1);
  const hidden = [credentials, password, decoded(password)].filter((secret) => secret !== '');
  return hidden.reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
}

function problemOfEventstoredb(text: string): string | null {
  if (text === '') return null;
  const [, discovers, hosts] = EVENTSTOREDB.exec(text) ?? [];
  if (hosts === undefined) return 'must be esdb://host:port[,host:port…] or esdb+discover://name:port';
  if (hosts.includes('[')) return 'cannot name a host by its IPv6 address: the client does not take one';
  if (discovers && hosts.includes(',')) return 'names one host with esdb+discover://, several with esdb://';
  return problemOfPorts(hosts) ?? problemOfOptions(text, (name) => EVENTSTOREDB_OPTIONS.has(flatCase(name)));
}

function problemOfMongodb(text: string): string | null {
  if (text === '') return null;
  const [, isSrv, hosts] = MONGODB.exec(text) ?? [];
  if (hosts === undefined) return 'must be mongodb://host:port[,host:port…][/database] or mongodb+srv://name';
  if (isSrv && /[,:]/.test(hosts)) return 'names one host without a port with mongodb+srv://';
  return problemOfPorts(hosts);
}

function problemOfPorts(hosts: string): string | null {
  const wrong = hosts.split(',').find((host) => {
    const port = /:(\d+)$/.exec(host)?.[1];
    return port !== undefined && (Number(port) < 1 || Number(port) > 65_535);
  });
  return wrong === undefined ? null : `has a port that cannot be: ${wrong}`;
}

function problemOfOptions(text: string, isKnown: (name: string) => boolean): string | null {
  const query = text.split('?')[1];
  const names = query === undefined ? [] : query.split('&').map((pair) => pair.split('=')[0]!);
  const unknown = names.find((name) => !isKnown(name));
  return unknown === undefined ? null : `has an option that the client does not know: ${unknown}`;
}

function refuse(problem: string | null, context: z.core.$RefinementCtx<string>): void {
  if (problem !== null) context.addIssue({ code: 'custom', message: problem });
}

function flatCase(name: string): string {
  return name.toLowerCase().replace(/[_-]/g, '');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
