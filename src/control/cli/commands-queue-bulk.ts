/** queue hold, unhold and route by destination: all mail to a domain, page by page, with a count, and how to undo it. */
import { problemsText } from './problems-text.ts';
import { UsageError } from './arguments.ts';
import { argument, type Command, type CommandContext, EXIT, type ExitCode } from './command.ts';
import { STATE_NAMES } from './state-names.ts';

export const DOMAIN_OPTION = {
  name: 'domain',
  value: 'DOMAIN',
  help: { en: 'all to this domain', ja: 'このドメイン宛のものすべて' },
};

/** Hold or unhold: one message by its id, or all to a domain. */
export async function holdOrUnhold(context: CommandContext, what: 'hold' | 'unhold'): Promise<ExitCode> {
  const domain = context.options.get('domain');
  if ((domain === undefined) === (context.args[0] === undefined))
    throw new UsageError({
      en: `Say what to ${what}: an ID or --domain`,
      ja: '対象を 1 つ指定してください: ID または --domain',
    });
  if (domain !== undefined) return allTo(context, { what, domain });
  const id = argument(context, 0);
  const force = context.flags.has('force') ? { force: true } : {};
  const answer =
    what === 'hold'
      ? await context.client.call('queue.hold', { id })
      : await context.client.call('queue.unhold', { id, ...force });
  context.print(answer, () => `${answer.id}: ${STATE_NAMES[answer.state][context.language]}\n`);
  return EXIT.ok;
}

async function allTo(
  context: CommandContext,
  { what, domain }: { what: 'hold' | 'unhold'; domain: string },
): Promise<ExitCode> {
  const total = { count: 0, busy: 0 };
  let cursor: string | undefined;
  do {
    const page = await context.client.call(`queue.${what}-domain`, {
      domain,
      ...(cursor === undefined ? {} : { cursor }),
    });
    total.count += page.count;
    total.busy += page.busy;
    cursor = page.cursor;
    // A person waiting for many thousands sees that it goes on; the answer itself stays clean for programs.
    if (cursor !== undefined) context.io.err(`${total.count} …\n`);
  } while (cursor !== undefined);
  const busy = total.busy === 0 ? { en: '', ja: '' } : BUSY(total.busy);
  const undo = `sekisho queue ${what === 'hold' ? 'unhold' : 'hold'} --domain ${domain}`;
  const words = {
    hold: {
      en: `${total.count} message(s) held${busy.en}; this lets them go: ${undo}\n`,
      ja: `${total.count} 通を保留しました${busy.ja}。次のコマンドで解除できます: ${undo}\n`,
    },
    unhold: {
      en: `${total.count} message(s) let go${busy.en}\n`,
      ja: `${total.count} 通の保留を解除しました${busy.ja}\n`,
    },
  };
  context.print(total, () => words[what][context.language]);
  return total.count > 0 ? EXIT.ok : EXIT.negative;
}

function BUSY(count: number): { en: string; ja: string } {
  return { en: ` (${count} being delivered just now, left alone)`, ja: `（配送中の ${count} 通はそのまま）` };
}

export const ROUTE_COMMAND: Command = {
  name: 'queue route',
  args: '[ID]',
  summary: {
    en: 'Sends one message, or the mail of a domain until further notice, to another server',
    ja: '1 通のメール、またはあるドメイン宛のメール（当面）を、ほかのサーバーへ送る',
  },
  options: [
    { ...DOMAIN_OPTION, help: { en: 'whose mail', ja: '対象のドメイン' } },
    { name: 'to', value: 'HOST:PORT', help: { en: 'where it goes', ja: '送り先' } },
    { name: 'lmtp', help: { en: 'that server speaks LMTP', ja: '送り先は LMTP で話す' } },
    { name: 'off', help: { en: 'the usual way again', ja: '元の経路に戻す' } },
  ],
  examples: [
    'sekisho queue route --domain office.example --to 192.0.2.9:25',
    'sekisho queue route --domain office.example --off',
    'sekisho queue route 0000K3M-7Q2ABCDEFGHJK --to 192.0.2.9:25',
  ],
  run: route,
};

async function route(context: CommandContext): Promise<ExitCode> {
  const domain = context.options.get('domain');
  const to = context.options.get('to');
  const id = context.args[0];
  if ((domain === undefined) === (id === undefined) || (to === undefined) !== context.flags.has('off'))
    throw new UsageError({
      en: 'Give an ID or --domain, and either --to or --off',
      ja: 'ID か --domain と、--to か --off のどちらかを指定してください',
    });
  if (domain === undefined) return routeOne(context, argument(context, 0), to);
  const answer = await context.client.call('queue.route', {
    domain,
    ...(to === undefined ? {} : { to }),
    ...(to !== undefined && context.flags.has('lmtp') ? { protocol: 'lmtp' as const } : {}),
  });
  const undo = `sekisho queue route --domain ${domain} --off`;
  const words =
    to === undefined
      ? {
          en: `${domain} goes its usual way again; ${answer.count} message(s) due now\n`,
          ja: `${domain} は元の経路に戻りました。${answer.count} 通をすぐに送ります\n`,
        }
      : {
          en: `${domain} goes to ${to}; ${answer.count} message(s) due now; back: ${undo}\n`,
          ja: `${domain} は ${to} へ送ります。${answer.count} 通をすぐに送ります。元に戻すには: ${undo}\n`,
        };
  context.print(answer, () => (answer.ok ? words[context.language] : problemsText(answer.problems, context.language)));
  return answer.ok ? EXIT.ok : EXIT.negative;
}

/** One message; what is on record stays with it through restarts and releases. */
async function routeOne(context: CommandContext, id: string, to: string | undefined): Promise<ExitCode> {
  const answer = await context.client.call('queue.reroute', {
    id,
    ...(to === undefined ? {} : { to }),
    ...(to !== undefined && context.flags.has('lmtp') ? { protocol: 'lmtp' as const } : {}),
  });
  const held = answer.state === 'held';
  const undo = `sekisho queue route ${answer.id} --off`;
  const later = held ? { en: ', once it is let go', ja: '（保留の解除後）' } : { en: '', ja: '' };
  const words =
    answer.route === undefined
      ? {
          en: `${answer.id}: goes its usual way again${later.en}\n`,
          ja: `${answer.id}: 元の経路で送ります${later.ja}\n`,
        }
      : {
          en: `${answer.id}: goes to ${answer.route}${later.en}; back: ${undo}\n`,
          ja: `${answer.id}: ${answer.route} へ送ります${later.ja}。元に戻すには: ${undo}\n`,
        };
  context.print(answer, () => words[context.language]);
  return EXIT.ok;
}
