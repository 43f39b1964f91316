// What is wider than its box scrolls there, and a phone shows no scrollbar. So it fades at the side
// where it goes on, and an arrow says so until the reader has found out.
{
  const MAY_SCROLL = "pre, table, .pst-scrollable-table-container, .course-sheet, div.math, .output";
  const signs = new Map();

  const scrolls = (box) =>
    box.scrollWidth > box.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(box).overflowX);

  function look(box) {
    const wide = scrolls(box), left = box.scrollLeft;
    box.classList.toggle("goes-on", wide && left + box.clientWidth < box.scrollWidth - 1);
    box.classList.toggle("came-from", wide && left > 1);
    if (wide) box.tabIndex = 0; // the arrow keys scroll it
    if (wide && !left && !signs.has(box)) signs.set(box, arrow(box));
    if (!wide || left) signs.get(box)?.remove();
    if (wide && !left) place(signs.get(box), box);
  }

  function arrow(box) {
    const sign = document.createElement("span");
    sign.className = "goes-on-sign";
    sign.setAttribute("aria-hidden", "true");
    sign.textContent = "→";
    return sign;
  }

  function place(sign, box) {
    if (!sign.isConnected) box.before(sign);
    const right = box.offsetLeft - sign.offsetLeft + box.clientWidth - sign.offsetWidth;
    const down = box.offsetTop - sign.offsetTop + Math.min(box.clientHeight, 400) / 2;
    sign.style.transform = `translate(${right}px, calc(${down}px - 50%))`;
  }

  const sizes = new ResizeObserver((all) => all.forEach(({ target }) => look(target)));
  document.addEventListener("DOMContentLoaded", () => {
    // A font that arrives widens what a box holds, and not the box.
    document.fonts.ready.then(() => document.querySelectorAll(`main :is(${MAY_SCROLL})`).forEach(look));
    for (const box of document.querySelectorAll(MAY_SCROLL)) {
      if (!box.closest("main")) continue;
      sizes.observe(box);
      box.addEventListener("scroll", () => look(box), { passive: true });
    }
    // What has been folded has had no size yet.
    document.addEventListener("toggle", ({ target }) =>
      target.querySelectorAll(MAY_SCROLL).forEach(look), true);
    document.addEventListener("load", ({ target }) => { // a picture that has arrived
      const sheet = target.closest?.(".course-sheet");
      if (sheet) look(sheet);
    }, true);
  });
}
