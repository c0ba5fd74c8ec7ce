/**
 * How Node is started for the processes mail goes through. On two cores the collector's helper threads compete with the mail
 * itself: they were 40 % of all processor time at 1 MB a message (measured: 36-40 to 27-29 ms a message without them, 6.8 to
 * 5.4 ms at 64 KB), because bodies lie outside the heap and set off full collections; the heap itself is small, so collecting
 * it on the spot is short. Whoever starts the gateway gives it these; the gateway gives them to its inspect worker.
 */
export const MAIL_PROCESS_FLAGS: readonly string[] = ['--single-threaded-gc', '--max-semi-space-size=8'];

/**
 * The gateway's old generation may grow to 80 MiB before V8 begins to mark it. Of its own accord V8 begins at half as much again as what
 * is alive (some 37 MB), and bodies of mail in flight, which count, fill that within 200 mails of 64 KB: a full collection each second
 * under load, a fifth of the main thread. With this far fewer; 96 MiB was no quicker and took more memory. Where more is alive
 * (hundreds of sessions, mail of a megabyte) V8 allows as much by itself. Not for the worker: its heap is a few megabytes.
 */
export const GATEWAY_FLAGS: readonly string[] = [...MAIL_PROCESS_FLAGS, '--initial-old-space-size=80'];

/**
 * And in what environment: two arenas of malloc instead of eight a core, each of which keeps what its threads have freed. With the young
 * generation of V8 held at 8 MiB (twice to thrice as much in use; its default is 16) the peak under 200 sessions went from 493 to
 * 381 MB, all processes together (measured on a busy machine).
 */
export const MAIL_PROCESS_ENV: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: '2' };
