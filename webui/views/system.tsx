/** The box itself, a tab each; every tab is a link. A part that does not answer leaves the others standing. */
import type { ComponentType } from 'preact';
import type { Permission } from '../../src/api/contract/client.ts';
import { may } from '../app/session.ts';
import type { ViewProperties } from '../app/views.ts';
import { Empty, PageHead } from '../components/basics.tsx';
import { t } from '../i18n/language.ts';
import { FRAME, PAGES } from '../i18n/words-frame.ts';
import { SYSTEM, TABS } from '../i18n/words-system.ts';
import { BackupTab } from './system-backup.tsx';
import { CertificatesTab } from './system-certificates.tsx';
import { LogsTab } from './system-logs.tsx';
import { MachineTab } from './system-machine.tsx';
import { NetworkTab } from './system-network.tsx';
import { OutwardTab, PrivacyTab } from './system-privacy.tsx';
import { ServicesTab } from './system-services.tsx';
import { SettingsTab } from './system-settings.tsx';
import { TimeTab } from './system-time.tsx';
import { UpdatesTab } from './system-updates.tsx';

type Tab = keyof typeof TABS;
const SHOWN: ReadonlyArray<{ tab: Tab; needs: Permission; view: ComponentType }> = [
  { tab: 'machine', needs: 'system.read', view: MachineTab },
  { tab: 'network', needs: 'system.read', view: NetworkTab },
  { tab: 'time', needs: 'system.read', view: TimeTab },
  { tab: 'services', needs: 'system.read', view: ServicesTab },
  { tab: 'certificates', needs: 'config.read', view: CertificatesTab },
  { tab: 'updates', needs: 'system.read', view: UpdatesTab },
  { tab: 'outward', needs: 'config.read', view: OutwardTab },
  { tab: 'privacy', needs: 'config.read', view: PrivacyTab },
  { tab: 'backup', needs: 'backup', view: BackupTab },
  { tab: 'settings', needs: 'config.read', view: SettingsTab },
  { tab: 'logs', needs: 'system.read', view: LogsTab },
];

export function System({ rest }: ViewProperties) {
  const allowed = SHOWN.filter((one) => may(one.needs));
  const current = rest === '' ? allowed[0] : allowed.find((one) => one.tab === rest);
  const View = current?.view;
  return (
    <>
      <PageHead title={t(PAGES.system)} intro={t(SYSTEM.intro)} chapter="system" />
      <nav class="tabs" aria-label={t(PAGES.system)}>
        {allowed.map((one) => (
          <a key={one.tab} href={`/system/${one.tab}`} aria-current={one === current ? 'page' : undefined}>
            {t(TABS[one.tab])}
          </a>
        ))}
      </nav>
      {View === undefined ? <Empty title={t(SYSTEM.notAllowed)}>{t(FRAME.notAllowedText)}</Empty> : <View />}
    </>
  );
}
