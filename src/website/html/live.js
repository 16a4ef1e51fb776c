// Keeps the page that is shown up to date: hears of new numbers, fetches what is within `main`, and
// changes what is different. Without it the page is the same, and stands still.
"use strict";
(() => {
  const main = document.getElementById("main");
  const shown = document.getElementById("live");
  const words = document.getElementById("live-words");
  const news = document.getElementById("news");
  const part = main && main.dataset.part;
  if (!part || !window.EventSource) return;

  let events, retry = 2000, timer = 0, tag = "", busy = false, again = false, heard = 0;
  let urgent = false;
  shown.hidden = false;
  const say = (state, text) => {
    shown.className = "live " + state;
    if (words.textContent !== text) words.textContent = text;
  };

  // Takes over what is new, and leaves in place whatever is the same, has the focus or was opened.
  const KEPT = ["INPUT", "TEXTAREA", "SELECT"];
  const change = (old, now) => {
    if (old.isEqualNode(now)) return;
    if (old.nodeType !== now.nodeType || old.nodeName !== now.nodeName || old.id !== now.id) {
      old.replaceWith(now);
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      old.data = now.data;
      return;
    }
    if (KEPT.includes(old.nodeName)) return;
    for (const { name } of [...old.attributes])
      if (name !== "open" && !now.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of [...now.attributes])
      if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
    changeAll(old, now);
  };
  const changeAll = (old, now) => {
    const wanted = [...now.childNodes];
    wanted.forEach((node, place) => {
      let there = old.childNodes[place];
      // What has a name is found again when something new stands before it.
      const same = node.id && [...old.children].find((child) => child.id === node.id);
      if (same && same !== there) there = old.insertBefore(same, there);
      if (there) change(there, node);
      else old.append(node);
    });
    while (old.childNodes.length > wanted.length) old.lastChild.remove();
  };

  const fetchPart = async () => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      const headers = tag ? { "If-None-Match": tag } : {};
      const answer = await fetch(part, { headers, cache: "no-store" });
      if (answer.status === 200) {
        tag = answer.headers.get("ETag") || "";
        const fresh = document.createElement("template");
        fresh.innerHTML = await answer.text();
        changeAll(main, fresh.content);
      }
    } catch {
      // The next numbers bring the next try.
    }
    busy = false;
    if (again) {
      again = false;
      soon(500);
    }
  };
  // Not all at once: everybody hears of new numbers in the same moment.
  const soon = (most) => {
    clearTimeout(timer);
    timer = setTimeout(fetchPart, Math.random() * most);
  };

  const NEWS = { found: "was found", matured: "is confirmed", orphaned: "was orphaned" };
  const listen = () => {
    events = new EventSource("/api/v1/events?topics=numbers,block");
    events.onopen = () => {
      retry = 2000;
      say("on", "Live");
    };
    events.onerror = () => {
      events.close();
      say("off", "Not live");
      setTimeout(listen, retry * (0.5 + Math.random()));
      retry = Math.min(retry * 2, 60000);
    };
    events.addEventListener("numbers", (event) => {
      const at = JSON.parse(event.data).time;
      // The page is of these numbers already.
      if (at <= Math.max(heard, Number(main.dataset.at))) return;
      heard = at;
      soon(document.hidden ? 10000 : part.startsWith("/miner/") ? 5000 : urgent ? 300 : 700);
      urgent = false;
    });
    // The numbers come behind it.
    events.addEventListener("block", (event) => {
      urgent = true;
      const block = JSON.parse(event.data);
      const became = NEWS[block.event];
      if (!became) return;
      news.textContent = `Block ${block.height} of ${block.coin} ${became}.`;
      clearTimeout(news.timer);
      news.timer = setTimeout(() => { news.textContent = ""; }, 15000);
    });
  };
  listen();
  // A page that is left keeps no connection, and one that is gone back to has one again.
  addEventListener("pagehide", () => events.close());
  addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
})();
