import type { Document, Identified } from '../documents/document-store';
import { FrozenView } from './frozen-view';

const document = (id: string, value: unknown): Identified<Document> => ({ id, document: { value } });

describe('FrozenView', () => {
  test('shows what has changed, come and gone since as it was', async () => {
    const view = new FrozenView();
    await view.keep([
      ['b', { value: 'old' }],
      ['c', null],
      ['a', { value: 'gone' }],
    ]);
    await view.keep([['b', { value: 'newer' }]]);
    const page = [document('b', 'newest'), document('c', 'new'), document('d', 'same')];
    expect(view.asItWas(page, null).map(({ id, document: d }) => [id, d])).toEqual([
      ['a', { value: 'gone' }],
      ['b', { value: 'old' }],
      ['d', { value: 'same' }],
    ]);
  });

  test('what has been read may change as it likes, what has not is kept for its page', async () => {
    const view = new FrozenView();
    await view.keep([['z', { value: 'old' }]]);
    expect(view.asItWas([document('a', 1), document('m', 2)], 'm').map(({ id }) => id)).toEqual(['a', 'm']);
    await view.keep([['a', { value: 'read' }]]);
    await view.keep([['n', { value: 'gone' }]]);
    expect(view.asItWas([document('z', 'new')], null)).toEqual([
      { id: 'n', document: { value: 'gone' } },
      { id: 'z', document: { value: 'old' } },
    ]);
  });

  test('ids are in the order of their bytes, as a store scans them', async () => {
    const view = new FrozenView();
    await view.keep([
      ['\u{1f600}', { value: 1 }],
      ['\uffee', { value: 2 }],
    ]);
    expect(view.asItWas([], null).map(({ id }) => id)).toEqual(['\uffee', '\u{1f600}']);
  });

  test('whoever writes waits where too much is kept, until it is read or nobody reads any more', async () => {
    for (const proceed of [
      (view: FrozenView) => view.asItWas([], '1'),
      (view: FrozenView) => view.release(),
    ]) {
      const view = new FrozenView();
      await view.keep(Array.from({ length: 20_000 }, (_, id): [string, Document] => [`${id}`, {}]));
      let isWritten = false;
      const writing = view.keep([['x', {}]]).then(() => (isWritten = true));
      await new Promise(setImmediate);
      expect(isWritten).toBe(false);
      proceed(view);
      await writing;
      expect(isWritten).toBe(true);
    }
  });
});
