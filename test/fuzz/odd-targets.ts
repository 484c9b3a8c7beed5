import type { Dice } from '../support/dice';
import { oddText, wellFormed } from './odd-values';
import type { Known } from './known';

/** Paths and queries that nobody has described. */

const LONG_PATH = 1_500;

/** What stands for an id, or a name, in a path; each character of it is a byte. */
export function oddParameter(name: string, known: Known, dice: Dice): string {
  const valid = known.pick(name, dice) ?? 'x';
  return dice.oneOf<() => string>([
    () => '01890000-0000-7000-8000-000000000000',
    () => encodeURIComponent(known.pick(known.otherKind(name, dice), dice) ?? 'x'),
    () => valid.toUpperCase(),
    () => `${valid}x`,
    () => `${valid}%20`,
    () => valid.slice(0, -1),
    () => percentEncoded(valid),
    () => '..%2f..%2fadmin',
    () => '%2e%2e',
    () => '%00',
    () => `${valid}%00`,
    () => '%ff%fe',
    () => '%e0%a4%a',
    () => '%zz',
    () => '%ED%A0%80',
    () => 'x'.repeat(LONG_PATH),
    () => '*',
    () => ':agentId',
    () => '{agentId}',
    () => '__proto__',
    () => 'null',
    () => "'%20or%201=1",
    () => encodeURIComponent(wellFormed(oddText(dice))) || 'x',
  ])();
}

/** The whole path changed: another route, or none. */
export function oddPath(path: string, dice: Dice): string {
  return dice.oneOf<() => string>([
    () => `${path}/`,
    () => `/${path}`,
    () => path.toUpperCase(),
    () => path.replace('/', '/./'),
    () => `${path}/../../..`,
    () => path.replace(/\/[^/]*$/, ''),
    () => `${path}/more`,
    () => `${path};a=b`,
    () => `${path}%2f`,
    () => path.replace('/v1', '/v2'),
    () => `http://elsewhere.example${path}`,
    () => '*',
    () => '/',
    () => `${path}#part`,
    () => `${path}\xff`,
    () => '/favicon.ico',
    () => '/.env',
    () => '/socket.io/',
    () => '/socket.io/?EIO=4&transport=polling',
    () => '/socket.io/?EIO=9&transport=polling&sid=x',
    () => '/docs/../health/live',
  ])();
}

/** One field of a query changed, or added. @param fields what a valid one has */
export function oddQuery(fields: readonly (readonly [string, string])[], known: Known, dice: Dice): string {
  const pairs = fields.map(([name, value]) => [name, encodeURIComponent(value)] as const);
  const [name, value] = pairs.length === 0 ? (['limit', '10'] as const) : dice.oneOf(pairs);
  const rest = pairs.filter(([other]) => other !== name);
  const more = dice.oneOf<() => string>([
    () => 'unknown=1',
    () => `${name}=${value}&${name}=${value}`,
    () => `${name}[]=${value}`,
    () => `${name}[a]=${value}`,
    () => `${name}[__proto__][polluted]=1`,
    () => '__proto__=1',
    () => '__proto__[polluted]=1',
    () => 'constructor=1&hasOwnProperty=2',
    () => `${name}=`,
    () => name,
    () => `=${value}`,
    () => '&&&=&',
    () => `${name}=%`,
    () => `${name}=%ff`,
    () => `${name}=%00`,
    () => `${name}=${'9'.repeat(400)}`,
    () => `${name}=-1`,
    () => `${name}=1e3`,
    () => `${name}=0x10`,
    () => `${name}=+1`,
    () => `${name}=null`,
    () => `${name}=${tampered(value, dice)}`,
    () => `cursor=${tampered(encodeURIComponent(known.pick('cursor', dice) ?? 'eyJhIjoxfQ'), dice)}`,
    () => `cursor=${encodeURIComponent(known.pick('cursor', dice) ?? 'W10')}`,
    () => `cursor=${Buffer.from(JSON.stringify([oddText(dice)])).toString('base64url')}`,
    () => `${name}=${encodeURIComponent(wellFormed(oddText(dice)))}`,
    () => `${name}=${encodeURIComponent(wellFormed(oddText(dice)))}`,
    () => `waitFor=${'9'.repeat(1 + dice.upTo(25))}`,
  ])();
  return [...rest.map(([other, kept]) => `${other}=${kept}`), more].join('&');
}

/** One character of it changed, left out or doubled. */
export function tampered(text: string, dice: Dice): string {
  const at = dice.upTo(Math.max(text.length, 1));
  const instead = dice.oneOf(['', 'A', '-', `${text[at] ?? ''}${text[at] ?? ''}`]);
  return `${text.slice(0, at)}${instead}${text.slice(at + 1)}`;
}

function percentEncoded(text: string): string {
  return [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
}
