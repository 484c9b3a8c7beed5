import { closeSync, existsSync, fstatSync, openSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../../test/support/temporary-folder';
import { RunFolder } from './run-folder';

describe('a folder that is made ready again, because nothing was executed the first time', () => {
  it('has its spools all the while', async () => {
    const folder = new RunFolder(temporaryFolder(), 'run');
    folder.create({}, null);
    const { stdout, stderr } = folder.filesForAgent(false);
    const opened = [stdout, stderr].map((path) => openSync(path, 'a'));

    folder.create({}, null);

    // Still the same files: not for a moment were they gone.
    expect(opened.map((spool) => fstatSync(spool).nlink)).toEqual([1, 1]);
    opened.forEach(closeSync);
  });

  it('knows nothing of the first wrapper', async () => {
    const folder = new RunFolder(temporaryFolder(), 'run');
    folder.create({}, null);
    writeFileSync(join(folder.path, 'pid'), '1 2 boot\n');
    writeFileSync(join(folder.path, 'exit'), '0\n');

    folder.create({ attempt: 2 }, 'hello');

    expect(folder.identity()).toBeNull();
    expect(existsSync(join(folder.path, 'exit'))).toBe(false);
    expect(statSync(folder.contextFile).size).toBe('{"attempt":2}'.length);
  });
});
