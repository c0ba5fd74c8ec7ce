/** Tests before things are saved: the mail server, the way out, the records in DNS, and a real message round the box. */
import { randomBytes } from 'node:crypto';
import { createResolver, type Resolver } from '../../base/resolver.ts';
import { describeError } from '../../base/errors.ts';
import type { ControlClient } from '../../control/client.ts';
import type { Answer } from '../contract/client.ts';
import { makeId } from '../auth/secrets.ts';
import { checkDns } from '../probe/dns-records.ts';
import { probeMailServer } from '../probe/mail-server.ts';
import { SmtpProbe } from '../probe/smtp.ts';
import { Steps } from '../probe/steps.ts';
import { probeDirect, probeSmarthost } from '../probe/way-out.ts';
import type { Some } from '../server/call.ts';
import { ApiProblem } from '../server/problems.ts';
import { iso, type RouteParts } from './parts.ts';
import { settingAt } from './settings.ts';

type Trip = Answer<'round-trip.show'>;
type Ids = 'domains.probe' | 'domains.dns' | 'outgoing.probe' | `round-trip.${'start' | 'show'}`;

const TRIP_MS = 90_000;
const MOST_TRIPS = 20;

interface Running extends Trip {
  began: number;
}

export function probeHandlers(parts: RouteParts): Some<Ids> {
  const { now } = parts;
  const trips = new Map<string, Running>();
  return {
    'domains.probe': ({ body }) => probeMailServer({ ...body, known: body.known, hostname: parts.box().hostname, now }),
    'domains.dns': async ({ gateway, params }) => {
      const [resolver, smarthost] = await Promise.all([
        resolverOf(gateway),
        settingAt<unknown>(gateway, 'outbound.smarthost'),
      ]);
      const { hostname } = parts.box();
      const direct = smarthost === undefined;
      const records = await checkDns({ domain: params.name, hostname, addresses: [], direct, resolver });
      return { domain: params.name, checkedAt: iso(now()), records };
    },
    'outgoing.probe': async ({ gateway, body }) => {
      const { hostname } = parts.box();
      if (body.way === 'smarthost') return probeSmarthost({ smarthost: body.smarthost, hostname, now });
      return probeDirect({ domain: body.domain, hostname, resolver: await resolverOf(gateway), now });
    },
    'round-trip.start': async ({ gateway, body }) => {
      const trip = await send(gateway, { to: body.recipient, hostname: parts.box().hostname, now });
      for (const old of [...trips.keys()].slice(0, Math.max(0, trips.size - MOST_TRIPS))) trips.delete(old);
      trips.set(trip.id, trip);
      return trip;
    },
    'round-trip.show': async ({ gateway, params }) => {
      const trip = trips.get(params.id);
      if (trip === undefined) throw new ApiProblem(404, 'NOT_FOUND');
      return follow(gateway, trip, now());
    },
  };
}

async function resolverOf(gateway: ControlClient): Promise<Resolver> {
  const dns = await settingAt<{ servers: string[]; timeoutMs: number }>(gateway, 'dns');
  return createResolver(dns);
}

/** Through our own MX listener, as mail from outside comes. */
async function send(
  gateway: ControlClient,
  trip: { to: string; hostname: string; now: () => number },
): Promise<Running> {
  const { to, hostname, now } = trip;
  const steps = new Steps(now);
  const began = now();
  const id = makeId();
  const base = { id, began, startedAt: iso(began), steps: steps.all };
  const { listeners } = await gateway.call('status', {});
  const mx = listeners.find(({ name, open }) => name === 'mx' && open);
  if (mx === undefined) {
    steps.add('accept', 'failed', {
      ja: '受信の窓口が開いていません',
      en: 'The listener for incoming mail is not open',
    });
    return { ...base, state: 'failed' };
  }
  const host = mx.address === '0.0.0.0' ? '127.0.0.1' : mx.address === '::' ? '::1' : mx.address;
  let smtp: SmtpProbe | undefined;
  try {
    const { probe } = await SmtpProbe.open({ host, port: mx.port });
    smtp = probe;
    await probe.command(`EHLO ${hostname}`);
    await probe.command('MAIL FROM:<>');
    const recipient = await probe.command(`RCPT TO:<${to}>`);
    const reply = recipient.code === 250 ? await probe.data(testMessage({ to, hostname, at: began })) : recipient;
    const queueId = /\b([0-9A-HJKMNP-TV-Z]{7}-[0-9A-HJKMNP-TV-Z]{13})\b/.exec(reply.text)?.[1];
    const taken = reply.code === 250;
    steps.add(
      'accept',
      taken ? 'ok' : 'failed',
      taken
        ? { ja: '本機が試験メールを受け取り、検査しました', en: 'The box took the test message and inspected it' }
        : { ja: '本機が試験メールを断りました', en: 'The box refused the test message' },
      { detail: `${reply.code} ${reply.text}` },
    );
    return { ...base, state: taken ? 'running' : 'failed', ...(queueId === undefined ? {} : { queueId }) };
  } catch (error) {
    steps.add(
      'accept',
      'failed',
      { ja: '本機の受信の窓口と話せません', en: 'Cannot talk to the box’s own listener' },
      { detail: describeError(error) },
    );
    return { ...base, state: 'failed' };
  } finally {
    smtp?.close();
  }
}

function testMessage({ to, hostname, at }: { to: string; hostname: string; at: number }): string {
  const subject = Buffer.from('関所の試験メール / Sekisho test message').toString('base64');
  return [
    // a domain that is nobody’s (RFC 6761 §6.4): our own, coming from outside, would rightly be stopped
    'From: Sekisho <test@sekisho.invalid>',
    `To: <${to}>`,
    `Subject: =?utf-8?B?${subject}?=`,
    `Date: ${new Date(at).toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <${randomBytes(12).toString('hex')}@${hostname}>`,
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
    '',
    'このメールは、関所（メールゲートウェイ）の設定が正しいことを確かめるためのものです。届いていれば成功です。',
    'This message proves that the mail gateway works. If you can read it, it does.',
  ].join('\r\n');
}

/** What the history says of it by now. */
async function follow(gateway: ControlClient, trip: Running, now: number): Promise<Trip> {
  const { began: _began, ...shown } = trip;
  if (trip.state !== 'running' || trip.queueId === undefined) return shown;
  const trace = await gateway.call('trace', { id: trip.queueId, language: 'ja' });
  const [recipient] = trace.recipients;
  const told = {
    detail: [recipient?.nextHop, recipient?.reply].filter((word) => word !== undefined && word !== '').join(': '),
  };
  const steps = new Steps(() => now);
  if (recipient?.state === 'delivered') {
    steps.add('deliver', 'ok', { ja: 'メールサーバーが受け取りました', en: 'The mail server took it' }, told);
    trip.state = 'ok';
  } else if (
    recipient !== undefined &&
    ['quarantined', 'held', 'bounced', 'expired', 'rejected'].includes(recipient.state)
  ) {
    steps.add('deliver', 'failed', { ja: '届きませんでした', en: 'It did not arrive' }, told);
    trip.state = 'failed';
  } else if (now - trip.began > TRIP_MS) {
    steps.add(
      'deliver',
      'failed',
      {
        ja: 'まだ届いていません。メールサーバーに届き次第、配送します',
        en: 'Not delivered yet; it goes on being tried',
      },
      told,
    );
    trip.state = 'failed';
  } else
    return {
      ...shown,
      steps: [
        ...trip.steps,
        { name: 'deliver', state: 'running', text: { ja: '配送しています', en: 'Delivering' }, ...told },
      ],
    };
  trip.steps.push(...steps.all);
  const { began: _before, ...done } = trip;
  return done;
}
