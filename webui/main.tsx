/** Where the pages begin: theme, router, and the app into the document. */
import { render } from 'preact';
import { App } from './app/app.tsx';
import { startRouter } from './app/router.ts';
import { applyTheme } from './app/theme.ts';
import './style/index.css';

applyTheme();
startRouter();
const root = document.getElementById('page');
if (root !== null) render(<App />, root);
