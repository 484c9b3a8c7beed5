import type { FollowBatch } from '../event-log';
import { RecentPages } from './recent-pages';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

/** How often the log was read for the same page. */
function pagesWithReads() {
  const pages = new RecentPages();
  let reads = 0;
  const page: FollowBatch = { events: [], reached: 1n };
  const get = () => pages.get(0, {}, () => ((reads += 1), page));
  return { pages, get, reads: () => reads };
}

test('a page is read once, and forgotten after half a second', () => {
  const { get, reads } = pagesWithReads();
  get();
  get();
  expect(reads()).toBe(1);
  jest.advanceTimersByTime(500);
  get();
  expect(reads()).toBe(2);
});

test('a page that comes after all were cleared is forgotten in its time, too', () => {
  const { pages, get, reads } = pagesWithReads();
  get();
  pages.clear();
  get();
  expect(reads()).toBe(2);
  jest.advanceTimersByTime(500);
  get();
  expect(reads()).toBe(3);
});
