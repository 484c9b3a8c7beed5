/**
 * A process of its own that starts the wrappers of runs. To start a process costs as much as the starting one has memory
 * (some 7 ms of a server's 150 MB), and nothing else happens meanwhile: this one has next to none, and its time is not
 * the server's. It holds the control pipes, so when the server dies, and with it this, wrappers that have not been
 * released leave; those that have been go on.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { FromSpawner, SpawnRequest, ToSpawner } from './spawner-messages';

const controls = new Map<number, Socket>();

function tell(message: FromSpawner): void {
  if (process.connected) process.send!(message);
}

async function start({ id, files, args, cwd, env }: SpawnRequest): Promise<void> {
  let descriptors: number[] = [];
  try {
    descriptors = open(files);
  } catch (error) {
    return tell({ kind: 'refused', id, part: 'files', message: (error as Error).message });
  }
  const [stdin, stdout, stderr] = descriptors as [number, number, number];
  let child: ChildProcess;
  try {
    child = spawn('/bin/sh', args, {
      cwd,
      env,
      stdio: [stdin, stdout, 'ignore', 'pipe', stderr],
      detached: true,
    });
    await once(child, 'spawn');
  } catch (error) {
    return tell({ kind: 'refused', id, part: 'process', message: (error as Error).message });
  } finally {
    descriptors.forEach(closeSync);
  }
  const control = child.stdio[3] as Socket;
  // A wrapper that is gone already is seen by its exit.
  control.on('error', () => undefined);
  controls.set(id, control);
  child.once('exit', (code, signal) => {
    controls.delete(id);
    tell({ kind: 'exited', id, code, signal });
  });
  tell({ kind: 'spawned', id, pid: child.pid! });
}

function open({ stdin, stdout, stderr }: SpawnRequest['files']): number[] {
  const opened: number[] = [];
  try {
    opened.push(openSync(stdin, 'r'));
    for (const path of [stdout, stderr]) opened.push(openSync(path, 'a'));
    return opened;
  } catch (error) {
    opened.forEach(closeSync);
    throw error;
  }
}

process.title = 'reveille spawner';
process.on('message', (message: ToSpawner) => {
  if (message.kind === 'spawn') void start(message);
  else if (message.kind === 'release') controls.get(message.id)?.end('go\n');
  else controls.get(message.id)?.destroy();
});
process.on('disconnect', () => process.exit());
