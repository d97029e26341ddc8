/**
 * The stylesheet and the script of the dashboard as they are sent, and the version by which browsers keep them. They stand in the code, so that the package
 * and the images have them without a step of their own.
 */
import { createHash } from 'node:crypto';
import { script } from './script.ts';
import { style } from './style.ts';

export const assets = {
  'style.css': { type: 'text/css; charset=utf-8', text: style },
  'script.js': { type: 'text/javascript; charset=utf-8', text: script },
} as const;

/** In their addresses: another text has another address. */
export const assetVersion = createHash('sha256').update(style).update(script).digest('hex').slice(0, 12);
