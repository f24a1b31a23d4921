// Hover texts and the choice of a policy. Without this script the page shows everything, one below the other.
const hover = JSON.parse(document.getElementById("hover").textContent);
const tip = document.getElementById("tip");
const cursor = document.createElement("div");
cursor.className = "cursor";

function show(box, column) {
  const texts = hover[box.dataset.view][box.dataset.row];
  column = Math.max(0, Math.min(column, texts.length - 1));
  box.dataset.column = column;
  tip.textContent = texts[column];
  tip.hidden = false;
  cursor.style.left = `${column / COLUMNS * 100}%`;
  cursor.style.width = `${100 / COLUMNS}%`;
  box.append(cursor);
  const at = cursor.getBoundingClientRect(), own = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(at.left - own.width / 2, innerWidth - own.width - 8))}px`;
  tip.style.top = `${at.top - own.height - 8 > 0 ? at.top - own.height - 8 : at.bottom + 8}px`;
}

function hide() {
  tip.hidden = true;
  cursor.remove();
}

for (const box of document.querySelectorAll(".strip-box")) {
  for (const title of box.querySelectorAll("title")) {  // two tips at once are one too many
    box.querySelector("svg").setAttribute("aria-label", title.textContent);
    title.remove();
  }
  const point = event => show(box, Math.floor((event.clientX - box.getBoundingClientRect().left) / box.clientWidth * COLUMNS));
  box.addEventListener("pointermove", point);
  box.addEventListener("pointerdown", point);
  box.addEventListener("pointerleave", hide);
  box.addEventListener("focus", () => show(box, Number(box.dataset.column ?? 0)));
  box.addEventListener("blur", hide);
  box.addEventListener("keydown", event => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") hide();
    if (!step) return;
    event.preventDefault();
    show(box, Number(box.dataset.column ?? 0) + step);
  });
}
addEventListener("scroll", hide, { passive: true });

for (const figure of document.querySelectorAll(".timeline")) {
  const buttons = [...figure.querySelectorAll("button[data-view]")];
  const choose = key => {
    for (const view of figure.querySelectorAll(".view")) view.hidden = view.id !== key;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.view === key));
    hide();
  };
  for (const button of buttons) button.addEventListener("click", () => choose(button.dataset.view));
  for (const heading of figure.querySelectorAll(".view > h4")) heading.hidden = buttons.length > 1;
  figure.querySelector(".choice").hidden = buttons.length < 2;
  choose((figure.querySelector(".view[data-chosen]") ?? figure.querySelector(".view")).id);
}

let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open], .numbers)")];
  for (const details of closed) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of closed) details.open = false;
});
