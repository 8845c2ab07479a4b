/** Prints a figure that a drill has measured, below the title of its test. Drills assert only what holds on any machine. */
export function showFigure(text: string): void {
  console.log(`      ${text}`);
}
