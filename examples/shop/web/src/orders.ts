// Only who looks at orders loads this: it is a chunk of its own.
import * as api from "./api";
import { element } from "./dom";
import "./orders.css";

const WORDS = { open: "waiting", taken: "being packed", done: "on its way" };
const AGAIN = 700;

const row = (order: api.Order) =>
  element(
    "li",
    { "data-order": String(order.id), "data-state": order.state },
    element("span", { class: "number" }, `${order.id}`),
    element("span", {}, order.good),
    element("span", { class: "state" }, WORDS[order.state]),
  );

export async function show(into: HTMLElement, left: AbortSignal): Promise<void> {
  const list = element("ol", { class: "orders" });
  into.replaceChildren(element("p", { class: "lead" }, "What was ordered last."), list);
  while (!left.aborted) {
    try {
      const found = await api.orders();
      list.replaceChildren(...(found.length ? found.map(row) : [element("li", {}, "Nothing yet.")]));
    } catch {
      // While the API is exchanged, what was last seen stays.
    }
    await new Promise((again) => setTimeout(again, AGAIN));
  }
}
