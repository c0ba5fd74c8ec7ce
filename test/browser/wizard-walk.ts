/**
 * The wizard as a new owner walks through it, from the setup code to the real round trip. Used by the browser test and by the
 * usability figures, in both languages: every button and field is found by the word that stands on it.
 */
import { COMMON } from '../../webui/i18n/words-common.ts';
import { DOMAINS } from '../../webui/i18n/words-domains.ts';
import { SETUP, STEP_NAMES } from '../../webui/i18n/words-setup.ts';
import { PASSWORD, USER } from './pages-world.ts';
import type { Person } from './person.ts';

export interface Office {
  setupCode: string;
  domain: string;
  mailServer: { host: string; port: number };
  mailbox: string;
  smarthost: { host: string; port: number };
}

/** A thing to do between two steps; the test looks around, the usability run does nothing. */
export type Between = (step: keyof typeof STEP_NAMES) => Promise<void>;

export async function walkWizard(person: Person, office: Office, between: Between = async () => undefined) {
  await claimIt(person, office);
  await person.heading(STEP_NAMES.account);
  await between('account');
  await person.press(COMMON.next);
  await person.heading(STEP_NAMES.network);
  await between('network');
  await person.press(SETUP.keepNext);
  await person.heading(STEP_NAMES.time);
  await between('time');
  await person.press(SETUP.saveNext);
  await person.heading(STEP_NAMES.domains);
  await between('domains');
  await domainStep(person, office);
  await person.heading(STEP_NAMES.outgoing);
  await between('outgoing');
  await outgoingStep(person, office);
  await person.heading(STEP_NAMES.protection);
  await between('protection');
  await person.choice(NORMAL);
  await person.press(SETUP.saveNext);
  await person.heading(STEP_NAMES.dns);
  await between('dns');
  await person.sees(`10 gw.${office.domain}.`);
  await person.press(COMMON.next);
  await person.heading(STEP_NAMES['round-trip']);
  await between('round-trip');
  await person.fill(SETUP.recipient, office.mailbox);
  await person.press(SETUP.send);
  await person.sees(SETUP.roundTripOk);
}

const NORMAL = { ja: '標準', en: 'Normal' };

async function claimIt(person: Person, { setupCode }: Office): Promise<void> {
  await person.page.goto('/');
  await person.heading(SETUP.welcome);
  await person.fill(SETUP.code, setupCode);
  await person.fill(SETUP.user, USER);
  await person.fill(SETUP.password, PASSWORD);
  await person.fill(SETUP.again, PASSWORD);
  await person.press(SETUP.claim);
}

async function domainStep(person: Person, { domain, mailServer, mailbox }: Office): Promise<void> {
  await person.fill(DOMAINS.name, domain);
  await person.fill(DOMAINS.server, mailServer.host);
  await person.fill(DOMAINS.known, mailbox);
  // an office's server stands at port 25; a test's cannot
  await person.click(person.page.getByText(person.t(DOMAINS.more), { exact: true }));
  await person.fill(DOMAINS.port, String(mailServer.port));
  await person.press(DOMAINS.probe);
  await person.press(SETUP.saveNext);
}

/** Port 25 is closed to the outside, as on most office lines (OP25B); the provider's smarthost is taken instead. */
async function outgoingStep(person: Person, { smarthost }: Office): Promise<void> {
  await person.choice(DOMAINS.direct);
  await person.fill(DOMAINS.probeDomain, 'example.com');
  await person.press(DOMAINS.probe);
  await person.sees(PORT_25_CLOSED);
  await person.choice(DOMAINS.smarthost);
  await person.fill(DOMAINS.server, smarthost.host);
  await person.fill(DOMAINS.port, String(smarthost.port));
  await person.choose(DOMAINS.tls, DOMAINS.opportunistic);
  await person.press(DOMAINS.probe);
  await person.press(SETUP.saveNext);
}

const PORT_25_CLOSED = { ja: 'ポート 25 で外へ出られません', en: 'Port 25 is closed to the outside' };
