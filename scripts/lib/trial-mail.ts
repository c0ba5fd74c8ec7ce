/**
 * `./scripts/trial-mail`: what the trial mail server holds, newest first; with an id, that message as it came. A reader that
 * leaves early (`| head`) is no error. Exit: 0 · 1 cannot be read · 2 wrong use, or no such message.
 */
import { createReadStream, existsSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { escapeForTerminal } from '../../src/base/terminal.ts';
import { decoded } from '../lab/mail-page.ts';
import { listStoredMail } from '../lab/mail-server.ts';
import { runCommand } from './command.ts';
import { layoutOf } from './layout.ts';
import { languageOfLocale } from './progress.ts';

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { data: { type: 'string' }, json: { type: 'boolean', default: false } },
  });
  const layout = layoutOf(path.resolve(values.data ?? 'data'));
  const japanese = languageOfLocale(process.env) === 'ja';
  const [id] = positionals;
  if (id !== undefined) {
    const file = path.join(layout.trialMail, `${path.basename(id)}.eml`);
    if (!existsSync(file)) {
      process.stderr.write(
        japanese ? `そのメールはありません: ${escapeForTerminal(id)}\n` : `No such message: ${escapeForTerminal(id)}\n`,
      );
      return 2;
    }
    await pipeline(createReadStream(file), process.stdout, { end: false });
    return 0;
  }
  const mails = await listStoredMail(layout.trialMail);
  if (values.json) process.stdout.write(`${JSON.stringify(mails, null, 2)}\n`);
  else if (mails.length === 0) process.stdout.write(japanese ? 'まだ届いていません。\n' : 'Nothing has arrived yet.\n');
  else
    for (const mail of mails) {
      const { at, recipients, size } = mail;
      const subject = escapeForTerminal(decoded(mail.subject) || '—');
      const parties = `${escapeForTerminal(mail.reversePath || '<>')} → ${escapeForTerminal(recipients.join(', '))}`;
      process.stdout.write(
        `${mail.id}\n  ${at}  ${size} ${japanese ? 'オクテット' : 'octets'}  ${parties}\n  ${subject}\n`,
      );
    }
  return 0;
}

await runCommand(main, { whenReaderLeaves: 'end' });
