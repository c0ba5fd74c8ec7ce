/** Below a list: how many there are, and more of them. */
import type { List } from '../api/use-list.ts';
import { t } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { QUARANTINE } from '../i18n/words-messages.ts';

export function ListFoot<Row>({ list }: { list: List<Row> }) {
  if (list.rows === undefined) return null;
  return (
    <div class="table-foot">
      <span class="soft small" role="status">
        {t(COMMON.rows, { n: list.rows.length })}
        {list.total === undefined || list.total === list.rows.length
          ? ''
          : ` / ${t(QUARANTINE.total, { n: list.total })}`}
      </span>
      {list.more === undefined ? null : (
        <button type="button" onClick={list.more}>
          {t(COMMON.more)}
        </button>
      )}
      {list.loading ? <span class="spin" aria-hidden="true" /> : null}
    </div>
  );
}
