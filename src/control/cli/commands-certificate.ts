/**
 * certificate …: what each certificate is and until when, and every way to another one, as on the pages. The process of the
 * pages does the work (admin-contract.ts); its socket opens to its own user and root. Keys and passphrases come from files,
 * never from the command line, where every user of the machine could read them.
 */
import path from 'node:path';
import { SekishoError } from '../../base/errors.ts';
import type { AdminClient } from '../admin-client.ts';
import { type AcmeAnswer, CERTIFICATE_USES, type CertificateAnswer } from '../admin-contract.ts';
import { UsageError } from './arguments.ts';
import { argument, type Command, type CommandContext, EXIT } from './command.ts';
import { block, type Look, showTime } from './output.ts';

const BOX_SOCKET = '/var/lib/sekisho-admin/run/cli.sock';
type Use = (typeof CERTIFICATE_USES)[number];

const SOCKET_OPTION = {
  name: 'admin-socket',
  value: 'PATH',
  help: {
    en: `Of the process of the pages (beside the data, or ${BOX_SOCKET})`,
    ja: `管理画面のプロセスのソケット（データフォルダーの隣、または ${BOX_SOCKET}）`,
  },
};

export const CERTIFICATE_COMMANDS: readonly Command[] = [
  {
    name: 'certificate show',
    args: '',
    summary: { en: 'Each certificate: of whom, until when', ja: '証明書の一覧（名前、発行者、期限）' },
    options: [SOCKET_OPTION],
    run: async (context) => {
      const answer = await (await adminOf(context)).call('certificates.list', {});
      context.print(answer, () => answer.certificates.map((each) => certificateText(each, context.look)).join('\n'));
      return EXIT.ok;
    },
  },
  certificateCommand({
    name: 'certificate upload',
    args: 'USE CERTIFICATE KEY',
    summary: {
      en: 'Installs a certificate with its key (PEM files; the chain behind the certificate)',
      ja: '証明書と鍵（PEM ファイル。中間証明書は証明書の後ろに続ける）を入れる',
    },
    examples: ['sekisho certificate upload mail fullchain.pem privkey.pem'],
    work: async (admin, context, use) => {
      const [certificate, key] = [await pem(context, 1), await pem(context, 2)];
      return admin.call('certificates.upload', { use, certificate, key });
    },
  }),
  certificateCommand({
    name: 'certificate pkcs12',
    args: 'USE FILE',
    summary: { en: 'Installs what is in a .p12 or .pfx file', ja: 'PKCS#12（.p12、.pfx）の証明書と鍵を入れる' },
    options: [
      {
        name: 'passphrase-file',
        value: 'FILE',
        help: { en: 'Its first line opens the file', ja: '1 行目にパスフレーズを書いたファイル' },
      },
    ],
    examples: ['sekisho certificate pkcs12 page mail.pfx --passphrase-file pass.txt'],
    work: async (admin, context, use) => {
      const file = await context.io.octets(argument(context, 1));
      if (file === undefined) throw noSuchFile(argument(context, 1));
      const secret = context.options.get('passphrase-file');
      const passphrase = secret === undefined ? '' : (await read(context, secret)).split(/\r?\n/, 1).join('');
      return admin.call('certificates.pkcs12', { use, file: file.toString('base64'), passphrase });
    },
  }),
  {
    name: 'certificate request',
    args: 'USE NAME…',
    summary: {
      en: 'Makes a request (CSR) for an issuer; its key stays on the machine',
      ja: '署名要求（CSR）を作る（鍵は本機から出ない）',
    },
    options: [
      SOCKET_OPTION,
      { name: 'rsa', help: { en: 'An RSA key instead of EC', ja: '楕円曲線ではなく RSA の鍵にする' } },
      { name: 'organisation', value: 'NAME', help: { en: 'Who asks', ja: '組織名' } },
    ],
    examples: ['sekisho certificate request mail mail.office.example > mail.csr'],
    run: async (context) => {
      const use = useOf(argument(context, 0));
      const organisation = context.options.get('organisation');
      const answer = await (await adminOf(context)).call('certificates.request', {
        use,
        names: context.args.slice(1),
        key: context.flags.has('rsa') ? 'rsa' : 'ec',
        ...(organisation === undefined ? {} : { organisation }),
      });
      context.print(answer, () => `${answer.request.trimEnd()}\n`);
      return EXIT.ok;
    },
  },
  certificateCommand({
    name: 'certificate signed',
    args: 'USE CERTIFICATE',
    summary: { en: 'Installs what the issuer made of the request', ja: '署名要求に対して発行された証明書を入れる' },
    work: async (admin, context, use) => admin.call('certificates.signed', { use, certificate: await pem(context, 1) }),
  }),
  certificateCommand({
    name: 'certificate issue',
    args: 'USE',
    summary: { en: "One by the box's own authority, renewed by itself", ja: '本機の認証局で発行する（自動で更新）' },
    work: async (admin, _context, use) => admin.call('certificates.issue', { use }),
  }),
  certificateCommand({
    name: 'certificate own',
    args: 'USE',
    summary: { en: 'Back to one that vouches for itself', ja: '自己署名の証明書に戻す' },
    work: async (admin, _context, use) => admin.call('certificates.own', { use }),
  }),
  {
    name: 'certificate acme',
    args: '',
    summary: { en: 'Certificates by ACME: from whom, for what', ja: '自動発行（ACME）の状態' },
    options: [SOCKET_OPTION],
    run: async (context) => {
      const answer = await (await adminOf(context)).call('acme.show', {});
      context.print(answer, () => acmeText(answer.acme, context.look));
      return answer.acme === undefined ? EXIT.negative : EXIT.ok;
    },
  },
  {
    name: 'certificate acme-start',
    args: 'DIRECTORY NAME…',
    summary: {
      en: 'Gets certificates by ACME from now on, the first one at once',
      ja: '自動発行（ACME）を始める（最初の証明書はすぐに受け取る）',
    },
    options: [
      SOCKET_OPTION,
      { name: 'use', value: 'USES', help: { en: 'page, mail, portal (page)', ja: 'page、mail、portal（既定: page）' } },
      { name: 'email', value: 'ADDRESS', help: { en: 'For the issuer', ja: '発行者に伝えるメールアドレス' } },
      { name: 'agree', help: { en: "The issuer's terms were read", ja: '発行者の利用規約に同意する' } },
    ],
    examples: [
      'sekisho certificate acme-start https://acme-v02.api.letsencrypt.org/directory mail.office.example --use page,mail --agree',
    ],
    run: async (context) => {
      if (!context.flags.has('agree'))
        throw new UsageError({
          en: "Read the issuer's terms of service, then say --agree",
          ja: '発行者の利用規約を読み、--agree を付けてください',
        });
      const admin = await adminOf(context);
      const email = context.options.get('email');
      await admin.call('acme.update', {
        directory: argument(context, 0),
        names: context.args.slice(1),
        uses: (context.options.get('use') ?? 'page').split(',').map(useOf),
        agree: true,
        ...(email === undefined ? {} : { email }),
      });
      return order(context, admin);
    },
  },
  {
    name: 'certificate acme-run',
    args: '',
    summary: { en: 'Orders a certificate now', ja: '今すぐ発行してもらう' },
    options: [SOCKET_OPTION],
    run: async (context) => order(context, await adminOf(context)),
  },
  {
    name: 'certificate acme-stop',
    args: '',
    summary: {
      en: 'No more ACME; what is installed stays until it ends',
      ja: '自動発行をやめる（今の証明書は期限まで使う）',
    },
    options: [SOCKET_OPTION],
    run: async (context) => {
      const answer = await (await adminOf(context)).call('acme.delete', {});
      context.print(answer, () => acmeText(undefined, context.look));
      return EXIT.ok;
    },
  },
];

/** A command whose first word is the use, and whose answer is the certificate that is shown now. */
function certificateCommand({
  work,
  ...command
}: Omit<Command, 'run'> & {
  work: (admin: AdminClient, context: CommandContext, use: Use) => Promise<CertificateAnswer>;
}): Command {
  return {
    ...command,
    options: [SOCKET_OPTION, ...(command.options ?? [])],
    run: async (context) => {
      const use = useOf(argument(context, 0));
      const answer = await work(await adminOf(context), context, use);
      context.print(answer, () => certificateText(answer, context.look));
      return EXIT.ok;
    },
  };
}

async function order(context: CommandContext, admin: AdminClient): Promise<0> {
  const answer = await admin.call('acme.run', {});
  context.print(answer, () => acmeText(answer.acme, context.look));
  return EXIT.ok;
}

/** As named; else beside the gateway's data (a trial machine); else where the box has it. */
async function adminOf({ client, io, options }: CommandContext): Promise<AdminClient> {
  const beside = path.join(path.dirname(path.dirname(client.socket)), 'admin', 'run', 'cli.sock');
  const socket = options.get('admin-socket') ?? ((await io.exists(beside)) ? beside : BOX_SOCKET);
  return io.admin({ socket, by: io.user });
}

function useOf(word: string): Use {
  const use = CERTIFICATE_USES.find((one) => one === word);
  if (use !== undefined) return use;
  throw new UsageError({
    en: `"${word}" is no use of a certificate: ${CERTIFICATE_USES.join(', ')}`,
    ja: `「${word}」という証明書の用途はありません: ${CERTIFICATE_USES.join('、')}`,
  });
}

const pem = (context: CommandContext, index: number): Promise<string> => read(context, argument(context, index));

async function read(context: CommandContext, file: string): Promise<string> {
  const found = await context.io.textFile(file);
  if (found === undefined) throw noSuchFile(file);
  return found.text;
}

function noSuchFile(file: string): SekishoError {
  return new SekishoError('NOT_FOUND', `There is no file "${file}"`);
}

const USE_NAMES = {
  page: { en: 'Pages', ja: '管理画面' },
  mail: { en: 'Mail (STARTTLS)', ja: 'メール（STARTTLS）' },
  portal: { en: "Recipients' page", ja: '利用者ページ' },
} as const;

function certificateText(row: CertificateAnswer, { language }: Look): string {
  const days = { en: `${row.daysLeft} days left`, ja: `残り ${row.daysLeft} 日` }[language];
  return block(
    [
      [{ en: 'For', ja: '用途' }, `${USE_NAMES[row.use][language]} (${row.use})`],
      [{ en: 'Names', ja: '名前' }, row.names.join(', ')],
      [{ en: 'Issuer', ja: '発行者' }, row.issuer],
      [{ en: 'Source', ja: '種類' }, row.source],
      [{ en: 'Until', ja: '期限' }, `${showTime(row.validTo) ?? ''} (${days})`],
      [{ en: 'Renewed', ja: '自動更新' }, showTime(row.renewsAt)],
      [{ en: 'SHA-256', ja: 'SHA-256' }, row.fingerprint],
      [{ en: 'Problem', ja: '問題' }, row.problem?.[language]],
    ],
    language,
  );
}

function acmeText(acme: AcmeAnswer | undefined, { language }: Look): string {
  if (acme === undefined)
    return { en: 'No certificates by ACME\n', ja: '自動発行（ACME）は使っていません\n' }[language];
  const { last } = acme;
  const how = last === undefined ? undefined : last.ok ? { en: 'done', ja: '成功' } : { en: 'failed', ja: '失敗' };
  return block(
    [
      [{ en: 'Issuer', ja: '発行者' }, acme.directory],
      [{ en: 'Names', ja: '名前' }, acme.names.join(', ')],
      [{ en: 'For', ja: '用途' }, acme.uses.join(', ')],
      [
        { en: 'Last order', ja: '最後の発行' },
        how === undefined ? undefined : `${showTime(last?.at) ?? ''} ${how[language]}`,
      ],
      [{ en: 'It said', ja: '理由' }, last?.detail],
    ],
    language,
  );
}
