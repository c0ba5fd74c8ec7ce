/**
 * How Node is started for the processes mail goes through. On two cores the collector's helper threads compete with the mail
 * itself: they were 40 % of all processor time at 1 MB a message (measured: 36-40 to 27-29 ms a message without them, 6.8 to
 * 5.4 ms at 64 KB), because bodies lie outside the heap and set off full collections; the heap itself is small, so collecting
 * it on the spot is short. Whoever starts the gateway gives it these; the gateway gives them to its inspect worker.
 */
export const MAIL_PROCESS_FLAGS: readonly string[] = ['--single-threaded-gc'];
