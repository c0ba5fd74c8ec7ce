/**
 * How Node is started for the processes mail goes through. On two cores the collector's helper threads compete with the mail
 * itself: they were 40 % of all processor time at 1 MB a message (measured: 36-40 to 27-29 ms a message without them, 6.8 to
 * 5.4 ms at 64 KB), because bodies lie outside the heap and set off full collections; the heap itself is small, so collecting
 * it on the spot is short. Whoever starts the gateway gives it these; the gateway gives them to its inspect worker.
 */
export const MAIL_PROCESS_FLAGS: readonly string[] = ['--single-threaded-gc', '--max-semi-space-size=8'];

/**
 * And in what environment: two arenas of malloc instead of eight a core, each of which keeps what its threads have freed. With the young
 * generation of V8 held at 8 MiB (twice to thrice as much in use; its default is 16) the peak under 200 sessions went from 493 to
 * 381 MB, all processes together (measured on a busy machine).
 */
export const MAIL_PROCESS_ENV: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: '2' };
