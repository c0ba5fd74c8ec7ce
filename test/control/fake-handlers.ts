/** A gateway that only talks: every verb answered from one small world, so that server, client and CLI can be driven whole. */
import { SekishoError } from '../../src/base/errors.ts';
import type { GatewayHandlers, VerbName } from '../../src/control/contract.ts';
import type { CallContext } from '../../src/control/verb.ts';
import type { MessageDetails, QuarantineDetails, QueueEntry } from '../../src/control/shapes.ts';
import type { Domain } from '../../src/mail/address.ts';

export const ID = '0000K3M-7Q2ABCDEFGHJK';
export const OTHER = '0000K3M-8R3ABCDEFGHJK';
export const VIRUS = '0000K3M-VRVS000000000';
export const BUG = '0000K3M-BVG0000000000';
const AT = '2026-11-21T09:30:00.000Z';
const UNTIL = '2026-11-21T09:40:00.000Z';

export interface Call {
  verb: VerbName;
  request: unknown;
  by: string;
}

const entry: QueueEntry = {
  id: ID,
  state: 'deferred',
  kind: 'mail',
  direction: 'inbound',
  arrivedAt: AT,
  size: 10_240,
  reversePath: 'sender@example.com',
  recipients: [
    {
      address: 'info@office.example',
      attempts: 3,
      lastAttemptAt: AT,
      nextAttemptAt: UNTIL,
      lastReply: '451 4.3.0 try later\u001b[31m',
      nextHop: 'mail.office.example',
    },
  ],
  nextAttemptAt: UNTIL,
};

const details: MessageDetails = {
  ...entry,
  sha256: 'ab'.repeat(32),
  client: {
    listener: 'mx',
    address: '198.51.100.7',
    name: 'mail.example.com',
    helo: 'mail.example.com',
    protocol: 'ESMTPS',
    tls: 'TLSv1.3',
  },
  decisions: [{ recipient: 'info@office.example', action: 'deliver', reason: 'clean' }],
  findings: [{ kind: 'spf', result: 'pass', domain: 'example.com', helo: 'mail.example.com' }],
  missing: [],
};

const quarantined: QuarantineDetails = {
  id: ID,
  arrivedAt: AT,
  size: 2_048,
  direction: 'inbound',
  reversePath: '',
  recipients: ['info@office.example', 'sales@office.example'],
  subject: '会議のお知らせ\u202egpj.exe',
  from: '"社長" <boss@office.example>',
  reason: 'spam-quarantine',
  expiresAt: '2026-12-05T09:30:00.000Z',
  client: details.client,
  messageId: 'x@example.com',
  headers: [{ name: 'Subject', value: '会議のお知らせ\u001b]0;owned\u0007' }],
  preview: { text: 'こんにちは\n\u001b[2Jよろしく', cut: true },
  decisions: [{ recipient: 'info@office.example', action: 'quarantine', reason: 'spam-quarantine' }],
  findings: [{ kind: 'spam', engine: 'rspamd', score: 9.5, symbols: [{ name: 'BAYES_SPAM', score: 5 }] }],
};

const engines = [
  { inspector: 'antivirus', engine: 'clamd', state: 'up' as const, version: 'ClamAV 1.4.6/27500', misses: 0 },
  { inspector: 'spam', engine: 'rspamd', state: 'slow' as const, version: '3.4', misses: 1, lastError: 'Deadline' },
];

const config: Record<string, unknown> = { version: 1, hostname: 'mx.example.com', policy: { spam: { tag: 5 } } };

/** All handlers; each call is kept in `calls`. Unknown ids are NOT_FOUND; `BUG` is a bug of the handler. */
export function fakeHandlers(calls: Call[] = [], options: { trouble?: boolean } = {}): GatewayHandlers {
  const known = (id: string): string => {
    if (id === BUG) throw new TypeError('secret detail of a bug');
    if (id !== ID)
      throw new SekishoError('NOT_FOUND', `There is no message "${id}"`, { remedy: 'See "sekisho queue list"' });
    return id;
  };
  const alarm = {
    name: 'engine-down',
    key: 'clamd',
    detail: 'clamd: connection refused',
    since: AT,
    lastAt: AT,
    times: 2,
    title: { ja: '検査エンジンが停止しています', en: 'An engine is down' },
    remedy: { ja: 'clamd を起動してください', en: 'Start clamd' },
  };
  const alarms = options.trouble === true ? [alarm] : [];
  const handlers: GatewayHandlers = {
    status: () => ({
      version: '0.1.0',
      state: 'running',
      hostname: 'mx.example.com',
      startedAt: AT,
      uptimeMs: 93_784_000,
      listeners: [{ name: 'mx', address: '0.0.0.0', port: 2525, open: true, sessions: 3 }],
      spool: {
        counts: { incoming: 1, queue: 2, held: 3, quarantine: 4, corrupt: 0 },
        octets: 1_048_576,
        freeOctets: 53_687_091_200,
        floorOctets: 536_870_912,
        recovery: {
          cleanStop: true,
          elapsedMs: 12.5,
          files: 9,
          dropped: 0,
          requeued: 0,
          lost: 0,
          corrupt: 0,
          databaseRebuilt: false,
        },
      },
      hops: [
        {
          hop: 'mail.office.example:25',
          state: 'down',
          waiting: 2,
          active: 0,
          since: AT,
          detail: 'connection refused',
        },
      ],
      engines,
      alarms,
      config: { file: '/data/sekisho.json', generation: 7, problems: [] },
    }),
    'engines.list': () => ({ engines }),
    'alarms.list': () => ({ alarms }),
    'queue.list': ({ limit }) => ({
      entries: limit === 1 ? [entry] : [entry, { ...entry, id: OTHER, state: 'held' }],
      total: 2,
      ...(limit === 1 ? { cursor: 'next' } : {}),
    }),
    'queue.show': ({ id }) => ({ ...details, id: known(id) }),
    'queue.retry': (request) => ({ count: request.hop === 'nobody.example' ? 0 : 2 }),
    'queue.hold': ({ id }) => ({ id: known(id), state: 'held' }),
    'queue.unhold': ({ id }) => ({ id: known(id), state: 'active' }),
    'queue.hold-domain': ({ cursor }) => ({ count: 3, busy: 1, ...(cursor === undefined ? { cursor: 'next' } : {}) }),
    'queue.unhold-domain': () => ({ count: 0, busy: 0 }),
    'queue.route': ({ to }) =>
      to === 'bad:99999' ? { ok: false, count: 0, problems: [] } : { ok: true, generation: 8, problems: [], count: 4 },
    'queue.reroute': ({ id, to }) => ({
      id: known(id),
      state: id === OTHER ? 'held' : 'active',
      ...(to === undefined ? {} : { route: to }),
      count: 1,
    }),
    'message.resend': ({ id, recipients }) => ({ id: known(id), queuedAs: OTHER, recipients }),
    'message.report': ({ id, as }) => ({
      id: known(id),
      learned: as === 'spam',
      samples: 1,
      text: { ja: '残しました', en: 'Kept' },
    }),
    'certificate.show': () => ({ source: 'own', certificate: 'PEM' }),
    'certificate.install': ({ certificate }) => ({ source: 'uploaded', certificate }),
    'certificate.own': () => ({ source: 'own', certificate: 'PEM' }),
    'backup.collect': () => ({
      config: {},
      mail: { own: true, certificate: '-'.repeat(60), key: '-'.repeat(60) },
      lists: [],
      left: [],
    }),
    'backup.list': ({ file }) => ({ file }),
    'backup.certificate': () => ({}),
    'history.person': () => ({ entries: [{ id: ID }] }),
    'history.forget': () => ({ messages: 1, waiting: 0, samples: 0 }),
    'history.watched': () => ({ groups: [{ step: 0, action: 'quarantine', reason: 'executable', messages: 2 }] }),
    'queue.summary': () => ({
      total: 1,
      states: { incoming: 0, active: 0, deferred: 1, held: 0, corrupt: 0 },
      destinations: [
        {
          domain: 'far.example',
          messages: 1,
          octets: 2_048,
          oldestAt: UNTIL,
          state: 'down',
          lastReply: '451 4.3.0 Later',
        },
      ],
      ages: [{ messages: 1 }],
      reasons: [
        { reason: '451 4.3.0', messages: 1 },
        { reason: 'held', messages: 2 },
      ],
    }),
    'queue.delete': ({ id }) => ({ id: known(id), deletedUntil: UNTIL }),
    'queue.undelete': ({ id }) => ({ id: known(id), state: 'deferred' }),
    'quarantine.list': () => ({ entries: [quarantined], total: 1 }),
    'quarantine.show': ({ id }) => ({ ...quarantined, id: known(id) }),
    'quarantine.release': ({ id, recipients, force }) => {
      if (id === VIRUS && force !== true)
        throw new SekishoError('RELEASE_NEEDS_FORCE', 'The message holds a virus', {
          remedy: 'Release it with --force if you must',
        });
      if (id === VIRUS) return { id, already: true, queuedAs: id, released: ['info@office.example'], remaining: [] };
      if (id === OTHER) throw new SekishoError('WRONG_STATE', 'The message was released already');
      return {
        id: known(id),
        already: false,
        queuedAs: recipients === undefined ? id : `${id}.1`,
        released: recipients ?? quarantined.recipients,
        remaining: recipients === undefined ? [] : quarantined.recipients.filter((one) => !recipients.includes(one)),
      };
    },
    'own.list': () => ({
      recipient: 'info@office.example',
      expiresAt: UNTIL,
      language: 'ja',
      entries: [],
      more: false,
    }),
    'own.show': ({ id }) => ({
      recipient: 'info@office.example',
      language: 'ja',
      entry: {
        id: known(id),
        arrivedAt: AT,
        size: 10,
        from: 'sender@example.com',
        subject: '',
        reason: { ja: '迷惑メール', en: 'spam' },
        right: 'release',
      },
      preview: { text: '', cut: false },
    }),
    'own.release': () => ({ already: false }),
    'own.ask': () => ({ already: false }),
    'quarantine.delete': ({ id }) => ({ id: known(id), deletedUntil: UNTIL }),
    'quarantine.undelete': ({ id }) => ({ id: known(id), state: 'quarantined' }),
    'history.search': ({ text }) => ({
      entries:
        text === 'none'
          ? []
          : [
              {
                id: ID,
                arrivedAt: AT,
                direction: 'inbound',
                state: 'delivered',
                reversePath: 'sender@example.com',
                recipients: ['info@office.example'],
                recipientCount: 3,
                subject: '忘年会の件',
                from: 'sender@example.com',
                messageId: 'x@example.com',
                size: 10,
                client: '198.51.100.7',
                reason: 'clean',
              },
            ],
    }),
    trace: ({ id, language }) => ({
      id: known(id),
      state: 'delivered',
      arrivedAt: AT,
      direction: 'inbound',
      client: '198.51.100.7',
      reversePath: 'sender@example.com',
      from: 'sender@example.com',
      subject: '忘年会の件',
      messageId: 'x@example.com',
      size: 10,
      reply: '250 2.0.0 Queued',
      findings: [{ kind: 'dkim', result: 'pass', domain: 'example.com' as Domain, selector: 's', aligned: true }],
      decisions: [{ recipient: 'info@office.example', action: 'deliver', reason: 'clean' }],
      recipients: [
        {
          id,
          address: 'info@office.example',
          state: 'delivered',
          reason: 'clean',
          reply: '250 ok',
          nextHop: 'mail.office.example',
          updatedAt: AT,
        },
      ],
      related: [{ id: `${id}.d1`, relation: 'dsn', state: 'delivered' }],
      steps: [{ at: AT, id, event: 'delivered', text: language === 'ja' ? '配送しました' : 'Delivered' }],
    }),
    explain: ({ id, language }) => ({
      id: known(id),
      lines: [language === 'ja' ? '何も見つかりませんでした' : 'Nothing was found'],
      decisions: [],
      findings: [],
    }),
    'config.show': ({ path }) => ({
      file: '/data/sekisho.json',
      generation: 7,
      value: path === undefined ? config : path === 'hostname' ? 'mx.example.com' : undefined,
    }),
    'config.check': ({ candidate }) => ({ ok: candidate !== 'bad', problems: [] }),
    'config.set': ({ path, value }) =>
      path === 'hostname' && typeof value === 'string'
        ? { ok: true, generation: 8, changed: ['hostname'], problems: [] }
        : {
            ok: false,
            problems: [
              {
                path,
                found: JSON.stringify(value),
                message: { ja: 'この値は指定できません', en: 'This value is not allowed' },
                allowed: { ja: '文字列', en: 'text' },
                remedy: { ja: '変更してください', en: 'Change it' },
              },
            ],
          },
    'config.change': ({ settings }) => ({
      ok: true,
      generation: 8,
      changed: settings.map(({ path }) => path),
      problems: [],
    }),
    'config.unset': ({ path }) => ({ ok: true, generation: 8, changed: [path], problems: [] }),
    'config.reload': () => ({ ok: true, generation: 7, changed: [], problems: [] }),
    'config.generations': () => ({
      current: 7,
      generations: [{ generation: 7, at: AT, by: 'cli (root)', why: 'set hostname', changed: ['hostname'] }],
    }),
    'config.diff': ({ from, to }) => ({
      differences: from === to ? [] : [{ path: 'hostname', before: 'a.example.com', after: 'mx.example.com' }],
    }),
    'config.rollback': ({ generation }) => {
      if (generation > 7) throw new SekishoError('NOT_FOUND', `Generation ${generation} is not kept`);
      return { ok: true, generation: 8, changed: ['hostname'], problems: [] };
    },
    'message.body': () => ({ base64: Buffer.from('Subject: x\r\n\r\nx\r\n').toString('base64'), size: 17 }),
    'history.report': () => ({
      groups: [],
      senders: [],
      senderDomains: [],
      recipients: [],
      viruses: [],
      partial: false,
    }),
    'config.reference': () => ({ keys: [] }),
    'history.scores': () => ({ scores: [] }),
    'metrics.text': () => ({ contentType: 'text/plain; version=0.0.4', text: 'sekisho_messages_total 5\n' }),
    'jobs.list': () => ({ jobs: [] }),
    'antivirus.hold': () => ({}),
    'probe.run': () => ({ ok: true, elapsedMs: 1, steps: [] }),
    'jobs.run': ({ name }) => ({ name, schedule: '* * * * *', running: false, runs: [] }),
    'log.level': ({ level }) => ({ level: level ?? 'info' }),
  };
  return recorded(handlers, calls);
}

function recorded(handlers: GatewayHandlers, calls: Call[]): GatewayHandlers {
  const wrapped = Object.entries(handlers).map(([verb, handler]) => [
    verb,
    (request: unknown, context: CallContext) => {
      calls.push({ verb: verb as VerbName, request, by: context.by });
      return (handler as (request: unknown, context: CallContext) => unknown)(request, context);
    },
  ]);
  return Object.fromEntries(wrapped) as GatewayHandlers;
}
