import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import type { Adapter, AdapterTools } from './adapter';

/** What an adapter's kind needs to have; the rest is its own. */
const methods = { local: 'prepare', remote: 'prepare', inline: 'execute' } as const;

const TYPE = /^[a-z][a-z0-9_]{0,63}$/;

/** A module that was to bring adapters and doesn't. The message names the module, and what is wrong. */
export class AdaptersUnusable extends Error {
  constructor(module: string, problem: string, options?: ErrorOptions) {
    super(`${module}: ${problem}`, options);
    this.name = 'AdaptersUnusable';
  }
}

/**
 * The adapters in modules. The default export of a module is an adapter, a list of them, or a function that makes
 * either out of `AdapterTools`.
 *
 * @param modules absolute paths
 * @param known types that are taken
 * @param load for modules of both kinds, ES and CommonJS
 * @throws AdaptersUnusable
 */
export async function loadAdapters(
  modules: readonly string[],
  known: readonly Adapter[],
  load: (url: string) => Promise<unknown> = (url) => import(url),
): Promise<Adapter[]> {
  const taken = new Set(known.map(({ type }) => type));
  const adapters: Adapter[] = [];
  for (const module of modules) {
    for (const adapter of await adaptersIn(module, load)) {
      if (taken.has(adapter.type))
        throw new AdaptersUnusable(module, `there is another adapter of type ${adapter.type}`);
      taken.add(adapter.type);
      adapters.push(adapter);
    }
  }
  return adapters;
}

async function adaptersIn(module: string, load: (url: string) => Promise<unknown>): Promise<Adapter[]> {
  const exported = await defaultExport(module, load);
  const made: unknown = typeof exported === 'function' ? await called(module, exported) : exported;
  const adapters: unknown[] = Array.isArray(made) ? made : [made];
  if (adapters.length === 0) throw new AdaptersUnusable(module, 'brings no adapter');
  for (const adapter of adapters) {
    const problem = problemOf(adapter);
    if (problem !== null) throw new AdaptersUnusable(module, problem);
  }
  return adapters as Adapter[];
}

async function defaultExport(module: string, load: (url: string) => Promise<unknown>): Promise<unknown> {
  try {
    return ((await load(pathToFileURL(module).href)) as { default?: unknown }).default;
  } catch (cause) {
    throw new AdaptersUnusable(module, `cannot be loaded: ${(cause as Error).message}`, { cause });
  }
}

async function called(module: string, make: unknown): Promise<unknown> {
  try {
    const tools: AdapterTools = { z };
    return await (make as (tools: AdapterTools) => unknown)(tools);
  } catch (cause) {
    throw new AdaptersUnusable(module, `its default export has failed: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** What keeps a value from being an adapter; null: nothing. */
function problemOf(value: unknown): string | null {
  if (typeof value !== 'object' || value === null)
    return 'its default export must be an adapter, a list of adapters, or a function that makes them';
  const { type, kind, configSchema, reader, ...others } = value as Record<string, unknown>;
  if (typeof type !== 'string' || !TYPE.test(type))
    return 'type must be a name of small letters, digits and underscores, beginning with a letter';
  if (typeof kind !== 'string' || !Object.hasOwn(methods, kind))
    return `${type}: kind must be one of ${Object.keys(methods).join(', ')}`;
  if (typeof configSchema !== 'object' || configSchema === null || !('_zod' in configSchema))
    return `${type}: configSchema must be a schema of Zod 4, as the z that a function is given makes them`;
  const method = methods[kind as keyof typeof methods];
  if (typeof others[method] !== 'function') return `${type}: ${method} must be a function`;
  if (reader !== undefined && typeof reader !== 'function') return `${type}: reader must be a function`;
  return null;
}
