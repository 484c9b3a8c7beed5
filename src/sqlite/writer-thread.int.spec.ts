import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../../test/support/eventually';
import { CLOSED_SIGN, DEADLY, LINES_FILE, LINES_WRITER } from '../../test/support/lines-writer';
import { temporaryFolder } from '../../test/support/temporary-folder';
import { GroupCommit } from './group-commit';
import { WriterDown } from './writer';
import { WriterThread } from './writer-thread';

describe('WriterThread', () => {
  let folder: string;
  let faults: unknown[];
  let states: number[];
  let thread: WriterThread<string, number, number>;

  beforeEach(async () => {
    folder = temporaryFolder();
    faults = [];
    states = [];
    thread = await open();
  });

  afterEach(() => thread.close());

  const open = () =>
    WriterThread.open<string, number, number>({
      program: LINES_WRITER,
      folder,
      onState: (state) => states.push(state),
      onFault: (error) => faults.push(error),
    });

  const lines = () => readFileSync(join(folder, LINES_FILE), 'utf8').trim().split('\n');
  const closeFolder = () => writeFileSync(join(folder, CLOSED_SIGN), '');
  const openFolder = () => rmSync(join(folder, CLOSED_SIGN));

  it('answers groups in their order, and writes together what waits together', async () => {
    const groups = Array.from({ length: 100 }, (_, index) => [`${index}a`, `${index}b`]);
    const answers = await Promise.all(groups.map((group) => thread.write(group)));

    expect(lines()).toEqual(groups.flat());
    expect(answers.every((answer) => answer.length === 2)).toBe(true);
    expect(answers.flat().some((writtenTogether) => writtenTogether > 2)).toBe(true);
    expect(states.at(-1)).toBe(200);
  });

  it('writes what it was given before it is closed, and nothing after', async () => {
    const written = thread.write(['last']);
    const closed = thread.close();
    await expect(thread.write(['late'])).rejects.toThrow(WriterDown);
    await closed;
    expect(await written).toEqual([1]);
    expect(lines()).toEqual(['last', 'closed']);
  });

  it('fails what was on its way when it dies, says so, and is replaced', async () => {
    const deadly = thread.write([DEADLY]);
    const behind = thread.write(['behind']);
    await expect(deadly).rejects.toThrow(WriterDown);
    await expect(behind).rejects.toThrow(WriterDown);
    expect(thread.isUp).toBe(false);
    await expect(thread.write(['meanwhile'])).rejects.toThrow(WriterDown);

    await eventually(() => expect(thread.isUp).toBe(true));
    expect(await thread.write(['after'])).toEqual([1]);
    expect(faults).toEqual([expect.any(WriterDown)]);
    expect((faults[0] as Error).cause).toMatchObject({ message: 'a deadly line' });
  });

  it('tries again until its files can be opened', async () => {
    closeFolder();
    await expect(thread.write([DEADLY])).rejects.toThrow(WriterDown);
    await eventually(() => expect(faults.length).toBeGreaterThan(1));
    expect(faults.at(-1)).toMatchObject({ message: 'this folder is closed' });

    openFolder();
    await eventually(() => expect(thread.isUp).toBe(true));
    expect(await thread.write(['after'])).toEqual([1]);
  });

  it('is not opened where its files cannot be', async () => {
    closeFolder();
    await expect(open()).rejects.toThrow('this folder is closed');
    openFolder();
  });

  it('can be closed while it is being replaced', async () => {
    await expect(thread.write([DEADLY])).rejects.toThrow(WriterDown);
    await thread.close();
    expect(thread.isUp).toBe(false);
  });
});

describe('GroupCommit', () => {
  it('sends what comes in one turn together, and holds back what is too much at once', async () => {
    const sent: number[] = [];
    const gates: (() => void)[] = [];
    const group = new GroupCommit<number, number>(
      async (requests) => {
        sent.push(requests.length);
        await new Promise<void>((resolve) => gates.push(resolve));
        return requests;
      },
      () => 1024 * 1024,
    );
    const outcomes = Promise.all(Array.from({ length: 20 }, (_, index) => group.submit(index)));
    await eventually(() => expect(sent).toEqual([8]));
    gates.shift()!();
    await eventually(() => expect(sent).toEqual([8, 8]));
    gates.shift()!();
    await eventually(() => expect(sent).toEqual([8, 8, 4]));
    gates.shift()!();
    expect(await outcomes).toEqual([...Array(20).keys()]);
  });
});
