import { LogUnavailable } from '../event-log';

/** @throws LogUnavailable after `ms`; what the work comes to later is nobody's concern */
export function inTime<T>(work: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(new LogUnavailable(`EventStoreDB did not answer within ${ms} ms`));
    const timer = setTimeout(giveUp, ms);
    const isOver = () => clearTimeout(timer);
    work.then(resolve, reject);
    work.then(isOver, isOver);
  });
}
