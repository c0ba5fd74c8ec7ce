/** The certificate of STARTTLS by control socket: shown, installed, back to our own; the listeners take it without a restart. */
import { installCertificate, removeInstalledCertificate } from '../accept/certificate.ts';
import { SekishoError } from '../base/errors.ts';
import type { CERTIFICATE_VERBS } from '../control/certificate-verbs.ts';
import type { GatewayHandlers, VerbAnswer } from '../control/contract.ts';
import type { HandlerParts } from './handlers.ts';

export function certificateHandlers({
  doors,
  data,
  store,
  observe,
}: HandlerParts): Pick<GatewayHandlers, keyof typeof CERTIFICATE_VERBS> {
  const shown = async (): Promise<VerbAnswer<'certificate.show'>> => {
    const { source, cert } = await doors.certificate();
    return { source, certificate: cert };
  };
  /** What the settings name is shown whatever lies beside it: installing another would change nothing. */
  const mustNotBeConfigured = (): void => {
    if (store.current().tls.certificate === undefined) return;
    throw new SekishoError('WRONG_STATE', 'The settings "tls.certificate" and "tls.key" name the certificate', {
      remedy: 'Take both out of the settings first',
    });
  };
  return {
    'certificate.show': shown,
    'certificate.install': async (given, { by }) => {
      mustNotBeConfigured();
      await installCertificate(data, given);
      await doors.renew();
      observe.log('info', 'The certificate for mail was replaced', { by });
      return shown();
    },
    'certificate.own': async (_request, { by }) => {
      mustNotBeConfigured();
      await removeInstalledCertificate(data);
      await doors.renew();
      observe.log('info', 'The certificate for mail is our own again', { by });
      return shown();
    },
  };
}
