/** Certificates made while the clock was years ahead: "not yet valid" for everybody. Made anew once the time is known; the owner's never. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { CertificateDesk } from '../../src/api/certificates/desk.ts';
import { openPageCertificates, type PageCertificates } from '../../src/api/server/certificate.ts';
import type { ControlClient } from '../../src/control/client.ts';
import type { HostClient } from '../../src/control/host-client.ts';
import { freePort } from '../support/net.ts';
import { issue } from '../support/own-ca.ts';

const NOW = Date.UTC(2026, 10, 22);
const YEAR_MS = 365 * 86_400_000;

interface World {
  now: number;
  synchronised: boolean;
  mended: string[];
  page: PageCertificates;
  portal: PageCertificates;
  desk: CertificateDesk;
}

/** Opened while the clock is thirty years ahead. */
async function world(context: TestContext): Promise<World> {
  const dir = await mkdtemp(path.join(tmpdir(), 'sekisho-certificate-clock-'));
  context.after(() => rm(dir, { recursive: true, force: true }));
  const clock = { now: NOW + 30 * YEAR_MS, synchronised: false, mended: [] as string[] };
  const open = (name: string): Promise<PageCertificates> =>
    openPageCertificates({ directory: path.join(dir, name), names: ['box.test'], now: () => clock.now });
  const [page, portal] = [await open('page'), await open('portal')];
  const mail = await readFile(path.join(dir, 'page/own-certificate.pem'), 'utf8');
  const answers = (verb: string): unknown =>
    verb === 'host.status'
      ? { clock: { synchronised: clock.synchronised } }
      : verb === 'services.list'
        ? { services: [] }
        : { certificate: /-----BEGIN CERT[^]+/.exec(mail)?.[0], source: 'own' };
  const call = (verb: string): Promise<unknown> => Promise.resolve(answers(verb));
  const desk = await CertificateDesk.open({
    folder: path.join(dir, 'desk'),
    page,
    portal,
    showPage: () => undefined,
    gateway: { socket: '', call } as unknown as ControlClient,
    host: { socket: '', call } as unknown as HostClient,
    names: () => Promise.resolve(['box.test']),
    challenges: new Map(),
    now: () => clock.now,
    mended: (use) => clock.mended.push(use),
  });
  return Object.assign(clock, { page, portal, desk });
}

const renew = ({ desk }: World): Promise<void> => desk.renew(AbortSignal.timeout(10_000));
const begins = (cert: string | undefined): number => Date.parse(new X509Certificate(cert ?? '').validFrom);

test('our own is made anew when the time is known, and not before', async (context) => {
  const box = await world(context);
  box.now = NOW;
  const before = box.page.current().fingerprint;
  await renew(box);
  assert.equal(box.page.current().fingerprint, before, 'who knows which of the two times is right');
  box.synchronised = true;
  await renew(box);
  assert.notEqual(box.page.current().fingerprint, before);
  assert.ok(begins(box.page.current().cert) <= NOW);
  assert.ok(begins(box.portal.current().cert) <= NOW);
  assert.deepEqual(box.mended, ['page', 'portal']);
  const after = box.page.current().fingerprint;
  await renew(box);
  assert.equal(box.page.current().fingerprint, after, 'once');
  assert.equal(box.mended.length, 2);
});

test('our own authority and what it signed are made anew; who installed the authority gets a new one', async (context) => {
  const box = await world(context);
  await box.desk.issue('page');
  await box.desk.issue('portal');
  const authority = await box.desk.authority();
  box.now = NOW;
  // made after the clock was mended, of an authority that nobody believes yet
  await box.desk.issue('portal');
  assert.equal(await box.desk.authority(), authority);
  box.synchronised = true;
  await renew(box);
  const next = await box.desk.authority();
  assert.ok(begins(next) <= NOW);
  for (const use of ['page', 'portal'] as const) {
    const { cert, source } = await box.desk.shown(use);
    assert.equal(source, 'authority');
    assert.ok(begins(cert) <= NOW);
    assert.ok(new X509Certificate(cert).verify(new X509Certificate(next ?? '').publicKey), use);
  }
  assert.deepEqual(box.mended, ['page', 'portal']);
  await renew(box);
  assert.equal(await box.desk.authority(), next, 'once');
});

test('a certificate of the owner’s that begins later stays', async (context) => {
  const box = await world(context);
  box.now = NOW - 2 * YEAR_MS;
  box.synchronised = true;
  const given = await issue(['box.test'], { days: 3_650 });
  await box.desk.install('page', { cert: given.certificate, key: given.key });
  const { fingerprint } = box.page.current();
  await renew(box);
  assert.equal(box.page.current().fingerprint, fingerprint);
  assert.deepEqual(box.mended, ['portal']);
});

test('an ACME order that failed in the wrong year is tried again in the right one', async (context) => {
  const box = await world(context);
  const directory = `https://127.0.0.1:${await freePort()}/directory`;
  await box.desk.setAcme({ directory, names: ['box.test'], uses: ['page'], agreedBy: 'hanako' });
  await assert.rejects(box.desk.orderNow(AbortSignal.timeout(10_000)));
  await renew(box); // authorities count failures
  box.now = NOW;
  await assert.rejects(renew(box), /ACME/);
});
