/** The hours in which the box may restart for an update: whole hours of the box's own zone, over midnight too. Pure. */
export interface UpdateWindow {
  from: number;
  to: number;
}

/** `to` is not in it; the same hour twice means the whole day. */
export function inWindow(at: number, { window, timeZone }: { window: UpdateWindow; timeZone: string }): boolean {
  const hour = Number(
    new Intl.DateTimeFormat('en-GB', { timeZone, hour: 'numeric', hourCycle: 'h23' }).format(new Date(at)),
  );
  const { from, to } = window;
  if (from === to) return true;
  return from < to ? hour >= from && hour < to : hour >= from || hour < to;
}
