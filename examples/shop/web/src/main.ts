import "./style.css";
import { show as tea } from "./tea";

const main = document.querySelector("main")!;
let left = new AbortController();

async function show(): Promise<void> {
  left.abort();
  left = new AbortController();
  const path = location.pathname;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === path) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  try {
    if (path === "/orders") await (await import("./orders")).show(main, left.signal);
    else await tea(main);
  } catch (error) {
    main.textContent = `The shop does not answer: ${error}`;
  }
}

document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || link.origin !== location.origin || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  void show();
});
addEventListener("popstate", () => void show());
void show();
