/**
 * What is written in a message, opened on request and on record. Text is text; HTML was cleaned by the box and is shown in a
 * frame of an opaque origin without scripts, images or the network; file names are text with their hidden characters shown.
 */
import { useState } from 'preact/hooks';
import { type Answer, call, hrefOf } from '../api/client.ts';
import { useAction } from '../api/use.ts';
import { Card, Trouble } from '../components/basics.tsx';
import { MailText, writtenOut } from '../components/mail-text.tsx';
import { formatSize } from '../i18n/format.ts';
import { t } from '../i18n/language.ts';
import { MESSAGE } from '../i18n/words-messages.ts';

type Shown = Answer<'messages.content'>;

export function Content({ id }: { id: string }) {
  const [content, setContent] = useState<Shown | undefined>(undefined);
  const action = useAction();
  const open = (): void => void action.run(async () => setContent(await call('messages.content', { params: { id } })));
  return (
    <Card title={t(MESSAGE.content)} class={content === undefined ? 'no-print' : ''}>
      {content === undefined ? (
        <>
          <p class="soft">{t(MESSAGE.contentNote)}</p>
          {action.error === undefined ? null : <Trouble error={action.error} />}
          <button type="button" onClick={open} disabled={action.busy} aria-busy={action.busy}>
            {t(MESSAGE.content)}
          </button>
        </>
      ) : (
        <Opened content={content} />
      )}
    </Card>
  );
}

function Opened({ content }: { content: Shown }) {
  const [html, setHtml] = useState(false);
  const params = { id: content.id };
  return (
    <>
      <div class="row">
        <button type="button" class="tiny" aria-pressed={!html} onClick={() => setHtml(false)}>
          {t(MESSAGE.textPart)}
        </button>
        {content.hasHtml ? (
          <button type="button" class="tiny" aria-pressed={html} onClick={() => setHtml(true)}>
            {t(MESSAGE.htmlPart)}
          </button>
        ) : null}
        <a class="button tiny" href={hrefOf('messages.download', { params })} download={`${content.id}.eml`}>
          {t(MESSAGE.download)}
        </a>
      </div>
      {html ? (
        <iframe class="mail" sandbox="" title={t(MESSAGE.htmlPart)} src={hrefOf('messages.html', { params })} />
      ) : content.text.source === 'none' ? (
        <p class="soft">{t(MESSAGE.noText)}</p>
      ) : (
        <pre dir="auto" tabIndex={0}>
          {lines(content.text.value)}
        </pre>
      )}
      {content.text.cut || content.partial ? <p class="soft small">{t(MESSAGE.cut)}</p> : null}
      {content.attachments.length === 0 ? null : (
        <>
          <h3>{t(MESSAGE.attachments)}</h3>
          <ul>
            {content.attachments.map((one) => (
              <li key={one.index}>
                <MailText text={one.name} />{' '}
                <span class="soft small">
                  <MailText text={one.type} /> · {formatSize(one.size)}
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
      <details>
        <summary>{t(MESSAGE.headers)}</summary>
        <pre tabIndex={0}>
          {content.headers
            .map((header) => `${writtenOut(header.name).text}: ${writtenOut(header.value).text}`)
            .join('\n')}
        </pre>
      </details>
    </>
  );
}

/** Line by line, so that what is hidden is written out and the lines stay. */
function lines(text: string): string {
  return text
    .split('\n')
    .map((line) => writtenOut(line).text)
    .join('\n');
}
