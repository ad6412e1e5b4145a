"use strict";
(() => {
  const TEXTS = {
    en: {
      welcome: "Which edit is better?",
      explain: "You see a photo, an instruction, and two edits of the photo, A and B. "
        + "Say which edit you would rather use in a shop. What counts:",
      judgeEdit: "Was the instruction carried out, completely and only that?",
      judgeKeep: "Is everything else as in the photo: shape, colours, text, position?",
      judgeLook: "Does it look real and clean?",
      keys: "Keys: 1 or \u2190 A is better, 2 or \u2191 same, 3 or \u2192 B is better, "
        + "4 or \u2193 both bad, U undo, V enlarge.",
      name: "Your name or nickname (the same one if you come back)",
      begin: "Begin",
      privacy: "Your votes stay in this browser until you save them as a file. "
        + "Nothing is sent.",
      source: "Photo", object: "Second picture",
      left: "A is better", same: "About the same", right: "B is better",
      bad: "Both are bad",
      undo: "Undo", save: "Save", close: "Close", skip: "Skip",
      broken: "A picture did not load.",
      thanks: "Thank you!",
      send: "Please save the file and send it to whoever invited you.",
      download: "Save votes", copy: "Copy votes", back: "Back",
      copied: "Copied.", notCopied: "Select the text below and copy it.",
      noStorage: "This browser keeps nothing: save before you close the page.",
      enlarge: "enlarge",
      count: (done, all) => `${done} of ${all} comparisons have your vote.`,
    },
    zh: {
      welcome: "哪个修改更好？",
      explain: "您会看到一张照片、一条修改指令，以及两个修改结果 A 和 B。"
        + "请选出您更愿意在店铺中使用的一个。请看：",
      judgeEdit: "指令是否完整执行，而且没有多余的改动？",
      judgeKeep: "其他部分是否与照片一致：形状、颜色、文字、位置？",
      judgeLook: "画面是否真实、干净？",
      keys: "按键：1 或 \u2190 A 更好，2 或 \u2191 差不多，3 或 \u2192 B 更好，"
        + "4 或 \u2193 都不好，U 撤销，V 放大。",
      name: "您的姓名或昵称（下次继续时请用同一个）",
      begin: "开始",
      privacy: "在您保存为文件之前，投票只存在此浏览器中，不会发送。",
      source: "照片", object: "第二张图",
      left: "A 更好", same: "差不多", right: "B 更好", bad: "都不好",
      undo: "撤销", save: "保存", close: "关闭", skip: "跳过",
      broken: "有图片未能加载。",
      thanks: "谢谢！",
      send: "请保存文件，并发送给邀请您的人。",
      download: "保存投票", copy: "复制投票", back: "返回",
      copied: "已复制。", notCopied: "请选中下面的文字并复制。",
      noStorage: "此浏览器不保存数据：关闭页面前请先保存文件。",
      enlarge: "放大",
      count: (done, all) => `已完成 ${done} / ${all} 组比较。`,
    },
  };
  const KEYS = {
    "1": "left", ArrowLeft: "left", "2": "same", ArrowUp: "same",
    "3": "right", ArrowRight: "right", "4": "bad", ArrowDown: "bad",
  };
  const SIDES = ["source", "object", "left", "right"]; // the object of some items only
  const PAUSE = 300; // milliseconds: a second tap must not judge what nobody has seen

  const study = JSON.parse(document.getElementById("study").textContent);
  const items = new Map(study.items.map((item) => [item.id, item]));
  const byId = (id) => document.getElementById(id);
  const image = (side) => byId(side).querySelector("img");
  const view = (side) => document.querySelector(`[data-view=${side}]`);

  let language = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
  let state = null; // {rater, votes}
  let order = []; // ids of items, this rater's order
  let current = null; // {item, left, right, place, since}: since null: not to be voted on
  let shown = 0; // counts displays, so that a late event of an old one is ignored
  const skipped = new Set();

  // ---- chance: the same rater sees the same order and sides after a reload

  function random(text) {
    let a = 0x811c9dc5; // FNV-1a of the text seeds mulberry32
    for (const unit of `${study.seed}|${text}`) {
      a = Math.imul(a ^ unit.codePointAt(0), 0x01000193) >>> 0;
    }
    return () => {
      a = (a + 0x6d2b79f5) >>> 0;
      let t = Math.imul(a ^ (a >>> 15), a | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  function shuffled(ids, next) {
    const out = [...ids];
    for (let last = out.length - 1; last > 0; last -= 1) {
      const other = Math.floor(next() * (last + 1));
      [out[last], out[other]] = [out[other], out[last]];
    }
    return out;
  }

  function sides(item) {
    const [one, two] = item.answers;
    return random(`sides|${state.rater}|${item.id}`)() < 0.5 ? [one, two] : [two, one];
  }

  // ---- storage

  const place = (rater) => `preference/${study.study}/${rater}`;
  const lastRater = `preference/${study.study}`;

  function store() {
    try {
      localStorage.setItem(place(state.rater), JSON.stringify(state.votes));
      localStorage.setItem(lastRater, state.rater);
    } catch {
      say("noStorage");
    }
  }

  function stored(rater) {
    try {
      const votes = JSON.parse(localStorage.getItem(place(rater)) ?? "[]");
      return votes.filter((vote) => items.has(vote.item));
    } catch {
      return [];
    }
  }

  function storedRater() {
    try {
      return localStorage.getItem(lastRater);
    } catch {
      return null;
    }
  }

  // ---- what is on the screen

  function say(name) {
    const note = byId("note");
    note.textContent = TEXTS[language][name];
    note.hidden = false;
    setTimeout(() => { note.hidden = true; }, 4000);
  }

  function translate() {
    const texts = TEXTS[language];
    document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
    for (const node of document.querySelectorAll("[data-text]")) {
      node.textContent = texts[node.dataset.text];
    }
    byId("language").textContent = language === "zh" ? "English" : "中文";
    byId("language").lang = language === "zh" ? "en" : "zh-CN";
    const names = { source: texts.source, object: texts.object, left: "A", right: "B" };
    for (const side of SIDES) {
      const name = names[side];
      image(side).alt = name;
      byId(side).querySelector("button").ariaLabel = `${name}: ${texts.enlarge}`;
    }
    if (state) byId("count").textContent = texts.count(state.votes.length, items.size);
  }

  function open(name) {
    for (const screen of ["start", "vote", "done"]) byId(screen).hidden = screen !== name;
    byId("undo").hidden = byId("save").hidden = name === "start";
    byId("undo").disabled = byId("save").disabled = !state?.votes.length;
    const done = state ? state.votes.length : 0;
    byId("progress").textContent = state ? `${done} / ${items.size}` : "";
    byId("bar").value = done / items.size;
    translate();
    window.scrollTo(0, 0);
  }

  function next() {
    const voted = new Set(state.votes.map((vote) => vote.item));
    const waiting = order.filter((id) => !voted.has(id) && !skipped.has(id));
    if (waiting.length) show(items.get(waiting[0]));
    else finish();
    if (waiting.length > 1) preload(items.get(waiting[1]));
  }

  function filesOf({ item, left, right }) {
    const { source, object } = item;
    const files = { source, left: left.file, right: right.file };
    return object ? { ...files, object } : files;
  }

  function preload(item) {
    const [left, right] = item.answers;
    for (const file of Object.values(filesOf({ item, left, right }))) {
      new Image().src = file;
    }
  }

  function show(item) {
    const [left, right] = sides(item);
    const display = (shown += 1);
    const here = { item, left, right, place: order.indexOf(item.id), since: null };
    current = here;
    byId("instruction").textContent = item.instruction;
    byId("instruction").lang = item.language === "zh" ? "zh-CN" : "en";
    byId("broken").hidden = true;
    allow(false);
    open("vote");
    byId("object").hidden = view("object").hidden = !item.object;
    byId("pictures").classList.toggle("two", Boolean(item.object));
    const pause = new Promise((resolve) => { setTimeout(resolve, PAUSE); });
    const files = Object.entries(filesOf(here));
    const loads = files.map(([side, file]) => load(image(side), file));
    Promise.all([...loads, pause]).then(() => {
      if (display !== shown) return;
      const { naturalWidth, naturalHeight } = image("left");
      byId("pictures").classList.toggle("tall", naturalWidth < naturalHeight);
      here.since = performance.now();
      allow(true);
    }, () => {
      if (display === shown) byId("broken").hidden = false;
    });
  }

  function load(node, file) {
    return new Promise((resolve, reject) => {
      node.onload = resolve;
      node.onerror = reject;
      node.src = file;
    });
  }

  function allow(canVote) {
    for (const node of document.querySelectorAll("[data-choice]")) {
      node.disabled = !canVote;
    }
  }

  function finish() {
    current = null;
    shown += 1;
    open("done");
    byId("text").value = result();
  }

  // ---- voting

  function vote(choice) {
    if (current === null || current.since === null) return;
    state.votes.push({
      item: current.item.id,
      left: current.left.id,
      right: current.right.id,
      choice,
      place: current.place,
      milliseconds: Math.round(performance.now() - current.since),
      at: Date.now(),
    });
    store();
    next();
  }

  function undo() {
    const last = state?.votes.pop();
    if (last === undefined) return;
    store();
    show(items.get(last.item));
  }

  function begin(rater) {
    state = { rater, votes: stored(rater) };
    order = shuffled([...items.keys()].sort(), random(`order|${rater}`));
    store();
    next();
  }

  // ---- results

  function result() {
    return JSON.stringify({
      format: "tbstar-preference-votes",
      version: 1,
      study: study.study,
      rater: state.rater,
      interface: language,
      votes: state.votes,
    }, null, 1);
  }

  function save() {
    const link = document.createElement("a");
    const name = state.rater.replace(/[^\p{L}\p{N}_-]+/gu, "_");
    link.download = `votes-${study.study}-${name}.json`;
    link.href = URL.createObjectURL(new Blob([result()], { type: "application/json" }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  async function copy() {
    const text = byId("text");
    text.value = result();
    try {
      await navigator.clipboard.writeText(text.value);
      say("copied");
    } catch {
      text.focus();
      text.select();
      // Deprecated, but the one way without a secure context.
      say(document.execCommand("copy") ? "copied" : "notCopied");
    }
  }

  // ---- the large view: all pictures in one place

  function enlarge(side) {
    if (current === null) return;
    byId("large").src = image(side).src;
    for (const tab of document.querySelectorAll("[data-view]")) {
      tab.ariaPressed = String(tab.dataset.view === side);
    }
    byId("viewer").dataset.side = side;
    if (!byId("viewer").open) byId("viewer").showModal();
  }

  function turn(step) {
    const there = SIDES.filter((side) => side in filesOf(current));
    const at = there.indexOf(byId("viewer").dataset.side);
    enlarge(there[(at + step + there.length) % there.length]);
  }

  document.addEventListener("keydown", (event) => {
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (byId("viewer").open) {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) turn(step);
      else if (event.key.toLowerCase() === "v") byId("viewer").close();
      else return;
    } else if (byId("vote").hidden) return;
    else if (event.key in KEYS) vote(KEYS[event.key]);
    else if (event.key.toLowerCase() === "u" || event.key === "Backspace") undo();
    else if (event.key.toLowerCase() === "v") enlarge("left");
    else return;
    event.preventDefault();
  });

  for (const node of document.querySelectorAll("[data-choice]")) {
    node.addEventListener("click", () => vote(node.dataset.choice));
  }
  for (const node of document.querySelectorAll("[data-view]")) {
    node.addEventListener("click", () => enlarge(node.dataset.view));
  }
  for (const side of SIDES) {
    byId(side).querySelector("button").addEventListener("click", () => enlarge(side));
  }
  byId("large").addEventListener("click", () => turn(1));
  byId("close").addEventListener("click", () => byId("viewer").close());
  byId("undo").addEventListener("click", undo);
  byId("back").addEventListener("click", undo);
  byId("save").addEventListener("click", save);
  byId("download").addEventListener("click", save);
  byId("copy").addEventListener("click", copy);
  byId("skip").addEventListener("click", () => {
    skipped.add(current.item.id);
    next();
  });
  byId("language").addEventListener("click", () => {
    language = language === "zh" ? "en" : "zh";
    translate();
  });
  byId("enter").addEventListener("submit", (event) => {
    event.preventDefault();
    const rater = byId("rater").value.normalize("NFC").trim();
    if (rater) begin(rater);
  });

  // Who was here last goes on with one press; somebody else writes another name.
  byId("rater").value = storedRater() ?? "";
  open("start");
  byId(storedRater() ? "begin" : "rater").focus();
})();
