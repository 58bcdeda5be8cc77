/** The style sheet of publishers and subscribers, and how it gets into the page. */
import css from './widget.css?inline';

/** A page whose own element has this id brings the style sheet itself. */
const STYLE_ELEMENT_ID = 'tertulia-style';

/** Puts the style sheet into the page, once. The build for strict content policies has an empty one. */
export function injectStyle(): void {
  if (css === '' || document.getElementById(STYLE_ELEMENT_ID) !== null) return;
  const style = document.createElement('style');
  style.id = STYLE_ELEMENT_ID;
  style.textContent = css;
  document.head.prepend(style); // first, so that the page's own rules win
}
