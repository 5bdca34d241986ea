import * as api from "./api";
import { element } from "./dom";

const TIN = `<svg viewBox="0 0 120 120" aria-hidden="true">
  <rect class="tin" x="30" y="34" width="60" height="66" rx="6" />
  <rect class="lid" x="27" y="22" width="66" height="16" rx="5" />
  <rect class="label" x="30" y="56" width="60" height="28" />
  <path class="leaf" d="M48 76c0-12 10-16 24-15 1 13-6 20-18 17m-6 3c4-7 9-11 15-14" />
</svg>`;

const price = new Intl.NumberFormat("en-IE", { style: "currency", currency: "EUR" });

function card(good: api.Good): HTMLElement {
  const picture = element("div", { class: "picture" });
  picture.innerHTML = TIN;
  const button = element("button", { "data-good": String(good.id) }, "Order");
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const { id } = await api.order(good.id);
      button.textContent = `Order ${id} ✓`;
    } catch {
      button.textContent = "Try again";
    }
    button.disabled = false;
  });
  return element(
    "article",
    { class: "good", style: `--hue: ${good.hue}` },
    picture,
    element("h2", {}, good.name),
    element("p", {}, good.note),
    element("div", { class: "buy" }, element("strong", {}, price.format(good.price / 100)), button),
  );
}

export async function show(into: HTMLElement): Promise<void> {
  const { greeting, goods } = await api.shelf();
  into.replaceChildren(
    element("p", { class: "lead" }, "Six teas, weighed by hand and sent the same day."),
    element("section", { class: "goods" }, ...goods.map(card)),
  );
  document.querySelector("footer")!.textContent = greeting;
}
