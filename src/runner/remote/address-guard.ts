import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { BlockList, isIP } from 'node:net';

/** Where no agent of somebody else's is: this machine, its networks, the metadata services of clouds, and nowhere. */
const PRIVATE_NETWORKS = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '224.0.0.0/3',
  '::/96',
  '::ffff:0:0:0/96',
  // These carry IPv4 addresses inside: translated, 6to4 and Teredo.
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '2002::/16',
  '2001::/32',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
];

const privateNetworks = new BlockList();
for (const network of PRIVATE_NETWORKS) {
  const [address, prefix] = network.split('/') as [string, string];
  privateNetworks.addSubnet(address, Number(prefix), address.includes(':') ? 'ipv6' : 'ipv4');
}

/** Only the message is for people: it says which setting lets the request through. */
export class PrivateAddress extends Error {
  constructor(host: string, address: string) {
    const what = host === address ? address : `${host} is ${address}, which`;
    super(`${what} is a private address; --http-private-addresses allow lets agents be there`);
    this.name = 'PrivateAddress';
  }
}

/** Also for IPv4 addresses that are written as IPv6 ones (`::ffff:127.0.0.1`). */
export function isPrivateAddress(address: string): boolean {
  const family = isIP(address);
  return family === 0 || privateNetworks.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/**
 * Resolves names for a connection that is about to be made with the answer: nobody can put another address in its
 * place afterwards. One private address among several is enough to refuse.
 */
export const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const [first] = addresses ?? [];
    if (error || !first) return callback(error ?? new Error(`${hostname} has no address`), '', 0);
    const hidden = addresses.find(({ address }) => isPrivateAddress(address));
    if (hidden) callback(new PrivateAddress(hostname, hidden.address), '', 0);
    else if (options.all) callback(null, addresses);
    else callback(null, first.address, first.family);
  });
};

/**
 * A name is looked at when it is resolved; an address in its place is not resolved at all.
 * @throws PrivateAddress
 */
export function refusePrivateHost({ hostname }: URL): void {
  // `new URL` has made the usual form of whatever way an address was written in: octal, hexadecimal, one number.
  const host = hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && isPrivateAddress(host)) throw new PrivateAddress(host, host);
}
