/** The thread that reads one mail and ends. What it throws is the asker's `error`. */
import { parentPort, workerData } from 'node:worker_threads';
import { readMail } from './read-mail.ts';

if (parentPort !== null) parentPort.postMessage(await readMail(workerData as Uint8Array));
