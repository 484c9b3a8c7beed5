const MAX_PAGE = 1000;

/** @throws RangeError */
export function assertPageSize(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_PAGE) return;
  throw new RangeError(`the limit of a page is 1 to ${MAX_PAGE}, not ${limit}`);
}
