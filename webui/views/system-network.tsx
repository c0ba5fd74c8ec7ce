/** Addresses of the box. A change is tried at once and takes itself back unless confirmed. Page and wizard use the same form. */
import { useState } from 'preact/hooks';
import { type Answer, call, type Input } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { may } from '../app/session.ts';
import { Card, Notice, Skeleton, State, Trouble } from '../components/basics.tsx';
import { AreaField, errorAt, FormFoot, SelectField, submitted, TextField } from '../components/form.tsx';
import { attempt, toast } from '../components/toast.tsx';
import { formatAgo } from '../i18n/format.ts';
import { t } from '../i18n/language.ts';
import { SYSTEM } from '../i18n/words-system.ts';
import { lines } from './policy-rules.tsx';
import { PageNames } from './system-names.tsx';

type Network = Answer<'network.show'>;
type Settings = NonNullable<Input<'network.set'>['body']>['settings'];
type Interface = Settings['interfaces'][number];

export function NetworkTab() {
  const network = useLoad('network', (signal) => call('network.show', {}, signal));
  if (network.error !== undefined) return <Trouble error={network.error} again={network.again} />;
  if (network.value === undefined) return <Skeleton lines={10} />;
  return (
    <>
      <Pending network={network.value} done={network.again} />
      <Now network={network.value} />
      {may('system.change') ? (
        <Card title={t(SYSTEM.networkTry)}>
          <NetworkForm key={JSON.stringify(network.value.settings)} network={network.value} tried={network.again} />
        </Card>
      ) : null}
      <PageNames />
    </>
  );
}

export function Pending({ network, done }: { network: Network; done: () => void }) {
  const { pending } = network;
  if (pending === undefined) return null;
  const act = (work: Promise<unknown>, said: string): void => {
    void attempt(async () => {
      await work;
      toast(said);
      done();
    });
  };
  return (
    <Notice tone="warn" title={t(SYSTEM.networkPending)}>
      <p>{t(SYSTEM.networkPendingText, { when: formatAgo(pending.revertsAt) })}</p>
      <div class="row">
        <button
          type="button"
          class="main"
          onClick={() => act(call('network.confirm', { body: { id: pending.id } }), t(SYSTEM.networkKept))}
        >
          {t(SYSTEM.networkKeep)}
        </button>
        <button type="button" onClick={() => act(call('network.revert', { body: {} }), t(SYSTEM.networkReverted))}>
          {t(SYSTEM.networkRevert)}
        </button>
      </div>
    </Notice>
  );
}

function Now({ network }: { network: Network }) {
  return (
    <Card title={t(SYSTEM.now)}>
      <dl class="facts">
        {network.interfaces.map((one) => (
          <div key={one.name} style={{ display: 'contents' }}>
            <dt class="mono">{one.name}</dt>
            <dd>
              <State tone={one.up ? 'ok' : 'idle'}>{t(one.up ? SYSTEM.linkUp : SYSTEM.linkDown)}</State>{' '}
              <span class="mono">{one.addresses.join(', ')}</span> <span class="soft small mono">{one.mac}</span>
            </dd>
          </div>
        ))}
        <dt>{t(SYSTEM.gateway)}</dt>
        <dd class="mono">{network.gateways.join(', ') || '–'}</dd>
        <dt>DNS</dt>
        <dd class="mono">{network.resolvers.join(', ') || '–'}</dd>
      </dl>
    </Card>
  );
}

export function NetworkForm({ network, tried }: { network: Network; tried: () => void }) {
  const [settings, setSettings] = useState<Settings>(network.settings);
  const [dns, setDns] = useState(network.settings.dns.join('\n'));
  const [inside, setInside] = useState(network.settings.inside.join('\n'));
  const action = useAction();
  const save = (): void =>
    void action.run(async () => {
      await call('network.set', { body: { settings: { ...settings, dns: lines(dns), inside: lines(inside) } } });
      tried();
    });
  const change = (which: Interface, part: Partial<Interface>): void =>
    setSettings({
      ...settings,
      interfaces: settings.interfaces.map((one) => (one === which ? { ...one, ...part } : one)),
    });
  return (
    <form onSubmit={submitted(save)}>
      <TextField
        label={t(SYSTEM.hostname)}
        hint={t(SYSTEM.hostnameHint)}
        value={settings.hostname}
        change={(hostname) => setSettings({ ...settings, hostname })}
        required
        spellcheck={false}
        error={errorAt(action.error, 'hostname')}
      />
      {settings.interfaces.map((one) => (
        <InterfaceFields
          key={keyOf(one)}
          settings={one}
          link={network.interfaces.find(({ name }) => name === keyOf(one))}
          change={(part) => change(one, part)}
          remove={() => setSettings({ ...settings, interfaces: settings.interfaces.filter((other) => other !== one) })}
        />
      ))}
      <AreaField label={t(SYSTEM.dns)} rows={2} value={dns} change={setDns} error={errorAt(action.error, 'dns')} />
      <AreaField
        label={t(SYSTEM.inside)}
        hint={t(SYSTEM.insideHint)}
        rows={2}
        value={inside}
        change={setInside}
        error={errorAt(action.error, 'inside')}
      />
      <FormFoot busy={action.busy} label={t(SYSTEM.networkTry)} problem={action.error} />
    </form>
  );
}

/** As networkd names it. */
const keyOf = ({ name, vlan }: Interface): string => (vlan === undefined ? name : `${name}.${vlan}`);

interface InterfaceProperties extends FamilyProperties {
  link: Network['interfaces'][number] | undefined;
  remove: () => void;
}

/** One that the machine does not have (any more) can be taken away. */
function InterfaceFields({ settings, link, change, remove }: InterfaceProperties) {
  return (
    <fieldset>
      <legend>{t(SYSTEM.interface, { name: keyOf(settings) })}</legend>
      {link === undefined ? (
        <p class="row">
          <State tone="idle">{t(SYSTEM.linkMissing)}</State>
          <button type="button" class="link" onClick={remove}>
            {t(SYSTEM.linkRemove, { name: keyOf(settings) })}
          </button>
        </p>
      ) : null}
      <Ipv4 settings={settings} change={change} />
      <Ipv6 settings={settings} change={change} />
    </fieldset>
  );
}

interface FamilyProperties {
  settings: Interface;
  change: (part: Partial<Interface>) => void;
}

function Ipv4({ settings, change }: FamilyProperties) {
  const { ipv4 } = settings;
  return (
    <>
      <SelectField
        label={t(SYSTEM.ipv4)}
        class="short"
        value={ipv4.method}
        change={(method) => change({ ipv4: method === 'static' ? { method, addresses: [''] } : { method } })}
        options={(['dhcp', 'static', 'off'] as const).map((value) => ({ value, label: t(SYSTEM[value]) }))}
      />
      {ipv4.method === 'static' ? (
        <Fixed
          addresses={ipv4.addresses}
          gateway={ipv4.gateway ?? ''}
          change={(addresses, gateway) =>
            change({ ipv4: { method: 'static', addresses, ...(gateway === '' ? {} : { gateway }) } })
          }
        />
      ) : null}
    </>
  );
}

function Ipv6({ settings, change }: FamilyProperties) {
  const { ipv6 } = settings;
  return (
    <>
      <SelectField
        label={t(SYSTEM.ipv6)}
        class="short"
        value={ipv6.method}
        change={(method) => change({ ipv6: method === 'static' ? { method, addresses: [''] } : { method } })}
        options={(['auto', 'static', 'off'] as const).map((value) => ({ value, label: t(SYSTEM[value]) }))}
      />
      {ipv6.method === 'static' ? (
        <Fixed
          addresses={ipv6.addresses}
          gateway={ipv6.gateway ?? ''}
          change={(addresses, gateway) =>
            change({ ipv6: { method: 'static', addresses, ...(gateway === '' ? {} : { gateway }) } })
          }
        />
      ) : null}
    </>
  );
}

function Fixed(props: {
  addresses: string[];
  gateway: string;
  change: (addresses: string[], gateway: string) => void;
}) {
  return (
    <div class="row end">
      <TextField
        label={t(SYSTEM.addresses)}
        value={props.addresses.join(', ')}
        change={(text) => props.change(lines(text), props.gateway)}
        required
        spellcheck={false}
      />
      <TextField
        label={t(SYSTEM.gateway)}
        value={props.gateway}
        change={(gateway) => props.change(props.addresses, gateway.trim())}
        spellcheck={false}
      />
    </div>
  );
}
