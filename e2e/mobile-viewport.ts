import { expect } from 'chai';
import type { BrowserContextOptions, Page } from 'playwright-core';

/** The smallest phone that the pages support. */
export function phoneIn(colorScheme: 'light' | 'dark'): BrowserContextOptions {
  return { viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true, colorScheme };
}

/** WCAG 2.2: 1.4.10 reflow at 320 px, 2.5.5 targets, 1.4.3 contrast. */
export async function expectFit(page: Page): Promise<void> {
  const { width, lowest, contrast } = await page.evaluate<{ width: number; lowest: number; contrast: number }>(measure);
  expect(width).to.be.at.most(320);
  expect(lowest).to.be.at.least(44);
  expect(contrast).to.be.at.least(4.5);
}

/** A string, because it runs in the page, where the types are those of a browser and not of Node. Contrast is computed as WCAG 2.2 defines it. */
const measure = `(() => {
  const luminance = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map((part) => {
      const value = Number(part) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const groundOf = (element) => {
    const { backgroundColor } = getComputedStyle(element);
    return backgroundColor === 'rgba(0, 0, 0, 0)' ? groundOf(element.parentElement) : backgroundColor;
  };
  const contrastOf = (element) => {
    const [a, b] = [luminance(getComputedStyle(element).color), luminance(groundOf(element))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  const all = (selector) => [...document.querySelectorAll(selector)];
  return {
    width: document.documentElement.scrollWidth,
    lowest: Math.min(...all('input:not([type=hidden], [hidden]), button').map((target) => target.getBoundingClientRect().height)),
    contrast: Math.min(...all('h1, h2, p, li, label, a, input:not([type=hidden], [hidden]), button').map(contrastOf)),
  };
})()`;
