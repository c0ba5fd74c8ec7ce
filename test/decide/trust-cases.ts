/**
 * Mail that was forwarded, as a mail admin reads it: DMARC of example.com fails with p=reject; who has to be trusted, and in
 * what, so that it is not acted on. The client is 192.0.2.1, SPF is about the forwarder's domain.
 */
import type { Case } from './cases.ts';
import { arc, dkim, dmarc, from, spam, spf, virus } from './findings.ts';

const failed = [spf('pass', 'forward.example'), from('example.com'), dmarc('fail', 'example.com', 'reject')];
const listed = { trustedForwarders: ['forward.example'] };
const sealers = { trustedSealers: ['list.example', 'hub.example'] };

export const TRUST_CASES: Case[] = [
  { name: 'a forwarder nobody trusts', found: failed, outcome: 'reject dmarc-reject' },
  { name: 'a trusted forwarder by its domain', found: failed, policy: listed, outcome: 'deliver clean' },
  {
    name: 'a trusted forwarder by a host below its domain',
    found: [spf('pass', 'out1.forward.example'), ...failed.slice(1)],
    policy: listed,
    outcome: 'deliver clean',
  },
  {
    name: 'a domain that only ends like the forwarder',
    found: [spf('pass', 'notforward.example'), ...failed.slice(1)],
    policy: listed,
    outcome: 'reject dmarc-reject',
  },
  {
    name: 'somebody who claims to be the forwarder (SPF fail)',
    found: [spf('fail', 'forward.example'), ...failed.slice(1)],
    policy: listed,
    outcome: 'reject dmarc-reject',
  },
  {
    name: 'the forwarder while DNS does not answer for its SPF',
    found: [spf('temperror', 'forward.example'), ...failed.slice(1)],
    policy: listed,
    outcome: 'reject dmarc-reject',
  },
  {
    name: 'a trusted forwarder by network, SPF fails as forwarding makes it',
    found: [spf('fail', 'example.com'), ...failed.slice(1)],
    policy: { trustedForwarders: ['192.0.2.0/24'] },
    outcome: 'deliver clean',
  },
  {
    name: 'another network than the client',
    found: [spf('fail', 'example.com'), ...failed.slice(1)],
    policy: { trustedForwarders: ['198.51.100.0/24', '2001:db8::/32'] },
    outcome: 'reject dmarc-reject',
  },
  {
    name: 'a trusted forwarder changes nothing about a virus',
    found: [...failed, virus('X')],
    policy: listed,
    outcome: 'reject virus',
  },
  {
    name: 'a trusted forwarder changes nothing about spam',
    found: [...failed, spam(9)],
    policy: listed,
    outcome: 'quarantine spam-quarantine',
  },
  {
    name: 'a trusted forwarder does not vouch for our own domain',
    found: [spf('pass', 'forward.example'), from('office.example'), dmarc('fail', 'office.example', 'reject')],
    policy: listed,
    outcome: 'quarantine own-domain-from-outside',
  },
  {
    name: 'DMARC left open (temperror) behind a trusted forwarder is not deferred',
    found: [spf('pass', 'forward.example'), from('example.com'), dmarc('temperror', 'example.com', 'reject')],
    policy: listed,
    outcome: 'deliver clean',
  },

  // ARC
  {
    name: 'an ARC chain of a stranger who says all was well',
    found: [...failed, arc(['stranger.example', 'dmarc=pass example.com'])],
    policy: sealers,
    outcome: 'reject dmarc-reject',
  },
  {
    name: 'a trusted sealer who saw DMARC pass',
    found: [...failed, arc(['list.example', 'dmarc=pass example.com', 'spf=pass example.com'])],
    policy: sealers,
    outcome: 'deliver clean',
  },
  {
    name: 'the same sealer when nobody is trusted',
    found: [...failed, arc(['list.example', 'dmarc=pass example.com'])],
    outcome: 'reject dmarc-reject',
  },
  {
    name: 'a trusted sealer by a name below it',
    found: [...failed, arc(['eu.list.example', 'dmarc=pass example.com'])],
    policy: sealers,
    outcome: 'deliver clean',
  },
  {
    name: 'a trusted sealer who saw DMARC fail',
    found: [...failed, arc(['list.example', 'dmarc=fail example.com', 'spf=pass example.com'])],
    policy: sealers,
    outcome: 'reject dmarc-reject',
  },
  {
    name: 'a trusted sealer who saw DMARC pass for another author',
    found: [...failed, arc(['list.example', 'dmarc=pass evil.example', 'dkim=pass evil.example'])],
    policy: sealers,
    outcome: 'reject dmarc-reject',
  },
  {
    name: 'a trusted sealer who does not check DMARC and saw DKIM pass for the author',
    found: [...failed, arc(['list.example', 'dkim=pass example.com'])],
    policy: sealers,
    outcome: 'deliver clean',
  },
  {
    name: 'a trusted sealer who does not check DMARC and saw SPF pass for another',
    found: [...failed, arc(['list.example', 'spf=pass evil.example', 'dkim=fail example.com'])],
    policy: sealers,
    outcome: 'reject dmarc-reject',
  },
  {
    name: 'a trusted sealer who says nothing that can be read',
    found: [...failed, arc(['list.example'])],
    policy: sealers,
    outcome: 'reject dmarc-reject',
  },
  {
    name: 'two trusted sealers, the first of whom saw DMARC pass',
    found: [...failed, arc(['list.example', 'dmarc=pass example.com'], ['hub.example', 'dmarc=fail example.com'])],
    policy: sealers,
    outcome: 'deliver clean',
  },
  {
    name: 'a stranger sealed after the trusted one: he may have put another message under it',
    found: [...failed, arc(['list.example', 'dmarc=pass example.com'], ['stranger.example'])],
    policy: sealers,
    outcome: 'reject dmarc-reject',
  },
  {
    name: 'a stranger sealed before the trusted one, who saw DMARC fail',
    found: [...failed, arc(['stranger.example', 'dmarc=pass example.com'], ['hub.example', 'dmarc=fail example.com'])],
    policy: sealers,
    outcome: 'reject dmarc-reject',
  },
  {
    name: 'a chain that does not pass counts for nothing, whoever sealed it',
    found: [...failed, { ...arc(['list.example', 'dmarc=pass example.com']), result: 'temperror' as const }],
    policy: sealers,
    outcome: 'reject dmarc-reject',
  },
  {
    name: 'two authors: no sealer can vouch for both',
    found: [
      spf('pass', 'forward.example'),
      from('example.com', 'office.example'),
      dmarc('fail', 'example.com', 'reject'),
      arc(['list.example', 'dmarc=pass example.com']),
    ],
    policy: { ...sealers, suspiciousFrom: 'deliver', ownDomainFromOutside: 'deliver' },
    outcome: 'reject dmarc-reject',
  },
  {
    name: 'what one of ours wrote to a list comes back: the trusted sealer vouches for our own domain',
    found: [
      spf('pass', 'list.example'),
      dkim('fail', 'office.example'),
      from('office.example'),
      dmarc('fail', 'office.example', 'quarantine'),
      arc(['list.example', 'dmarc=pass office.example']),
    ],
    policy: sealers,
    outcome: 'deliver clean',
  },
];
