import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, fdatasyncSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Baseline } from '../figure';
import { quantile } from '../figure';
import { closedLoop } from '../load/closed-loop';

const BLOCK = Buffer.alloc(4096, 'x');

/** Appends of 4 KiB, each on disk before the next: what a log that promises durability can do one at a time. */
export function durableAppends(folder: string, count = 1_000): Baseline[] {
  const file = openSync(join(folder, 'durable'), 'a');
  const latencies = new Float64Array(count);
  const startedAt = performance.now();
  for (let index = 0; index < count; index++) {
    const before = performance.now();
    writeSync(file, BLOCK);
    fdatasyncSync(file);
    latencies[index] = performance.now() - before;
  }
  const elapsedMs = performance.now() - startedAt;
  closeSync(file);
  return [
    { name: 'append of 4 KiB + fdatasync', value: (count / elapsedMs) * 1000, unit: '/s' },
    { name: 'append of 4 KiB + fdatasync, p50', value: quantile(latencies, 0.5), unit: 'ms' },
  ];
}

/** The same framework without a route of ours, asked by the same clients over the same number of connections. */
export async function bareFastify(clients: number, requests = 10_000): Promise<Baseline[]> {
  const child = spawn(process.execPath, [join(__dirname, 'bare-fastify.cjs')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const server = { url: line.toString().trim(), token: 'none' };
  try {
    const { perSecond, latenciesMs } = await closedLoop(
      server,
      { clients, requests },
      (connection) => connection.post('/', '{"reason":"bench"}'),
      ({ status }) => {
        if (status !== 202) throw new Error(`bare fastify answered ${status}`);
      },
    );
    return [
      { name: `bare Fastify POST, ${clients} clients`, value: perSecond, unit: '/s' },
      { name: `bare Fastify POST, ${clients} clients, p50`, value: quantile(latenciesMs, 0.5), unit: 'ms' },
    ];
  } finally {
    child.kill();
    await once(child, 'exit');
  }
}

/** `sh -c true`, detached, so many at once: what starting processes costs here, without anything around it. */
export async function spawnRate(atOnce: number, count = 300): Promise<Baseline[]> {
  let left = count;
  const lane = async () => {
    while (left-- > 0)
      await once(spawn('/bin/sh', ['-c', 'true; exit 0'], { stdio: 'ignore', detached: true }), 'exit');
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: atOnce }, lane));
  const perSecond = (count / (performance.now() - startedAt)) * 1000;
  return [{ name: `sh processes, ${atOnce} at once`, value: perSecond, unit: '/s' }];
}

/** Reads a file, hashes it, writes it elsewhere and has it on disk: the least that recording an output takes. */
export function copyAndHash(folder: string, megabytes: number): Baseline[] {
  mkdirSync(folder, { recursive: true });
  const chunk = Buffer.alloc(1024 * 1024, 'y');
  const from = join(folder, 'from');
  const source = openSync(from, 'w');
  for (let index = 0; index < megabytes; index++) writeSync(source, chunk);
  closeSync(source);
  const startedAt = performance.now();
  const [input, output] = [openSync(from, 'r'), openSync(join(folder, 'to'), 'w')];
  const hash = createHash('sha256');
  for (let read = readSync(input, chunk); read > 0; read = readSync(input, chunk)) {
    hash.update(chunk.subarray(0, read));
    writeSync(output, chunk, 0, read);
    fdatasyncSync(output);
  }
  hash.digest();
  closeSync(input);
  closeSync(output);
  const perSecond = (megabytes / (performance.now() - startedAt)) * 1000;
  return [{ name: 'read + SHA-256 + write + fdatasync, by 1 MiB', value: perSecond, unit: 'MB/s' }];
}

/** JSON.parse of an event and its metadata as they are on the log. */
export function parseRate(event: { data: string; metadata: string }, count = 300_000): Baseline[] {
  const startedAt = performance.now();
  let keys = 0;
  for (let index = 0; index < count; index++) {
    keys += Object.keys(JSON.parse(event.data) as object).length;
    keys += Object.keys(JSON.parse(event.metadata) as object).length;
  }
  if (keys === 0) throw new Error('nothing was parsed');
  const perSecond = (count / (performance.now() - startedAt)) * 1000;
  return [{ name: 'JSON.parse of an event and its metadata', value: perSecond, unit: 'events/s' }];
}
