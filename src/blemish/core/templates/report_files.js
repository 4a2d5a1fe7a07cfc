"use strict";
// What a page hands out as files: rows as CSV, pictures as they are.
const reportFiles = (() => {
  // A cell that begins like a formula would be run by a spreadsheet: an apostrophe keeps it text, as in the history's CSV.
  const cell = (value) => {
    if (value === undefined || value === null || Number.isNaN(value)) return "";
    if (typeof value === "number") return String(value);
    const text = String(value).replace(/\s+/g, " ").trim();
    const safe = /^[=+\-@]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
    return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const csv = (rows) => `${rows.map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
  const slug = (...words) => words.filter(Boolean).join(" ").toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 80) || "report";
  const save = (name, content, type) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };
  // A row of buttons under a chart or a table: [label, what it says aloud, what it does].
  const tools = (kinds) => {
    const place = document.createElement("div");
    place.className = "tools";
    const said = document.createElement("span");
    said.textContent = "Save as";
    place.append(said);
    for (const [label, aloud, act] of kinds) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = label;
      button.setAttribute("aria-label", aloud);
      button.addEventListener("click", act);
      place.append(button);
    }
    return place;
  };
  return { csv, save, slug, tools };
})();
