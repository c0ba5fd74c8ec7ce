/**
 * The end of this turn of the event loop: whatever is ready now has been heard by then. Work that is dear by the piece (a
 * sync, a batch) begins there, so that all who became ready together share it; nobody waits for anything that is not there.
 */
export function endOfTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
