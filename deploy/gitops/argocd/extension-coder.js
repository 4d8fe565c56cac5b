// A tab of Argo CD's for our objects: how they stand, and how Coder differs from what they declare.
//
// One file, as it is: argocd-server serves it from /tmp/extensions/coder/extension-coder.js. It asks nobody anything:
// all that it shows is in the object that Argo CD hands to it. React is Argo CD's own, and escapes every text.
(function (window) {
  "use strict";

  const element = window.React.createElement;
  const GROUP = "enterprise.coder.com";
  const MARKS = { True: "✔", False: "✘", Unknown: "?" };
  const ALARMS = ["Reconciling", "Stalled"]; // whose being true is no good news
  const LINE = "1px solid rgba(128, 128, 128, 0.4)";
  const CELL = { padding: "6px 12px 6px 0", verticalAlign: "top", textAlign: "left", borderBottom: LINE };
  const TEXT = { overflowWrap: "anywhere", whiteSpace: "pre-wrap" };
  const CODE = { fontFamily: "monospace", ...TEXT };

  function Tab({ resource }) {
    const object = resource || {};
    const status = object.status || {};
    const conditions = [...(status.conditions || [])].sort(byImportance);
    const changes = status.pendingChanges || [];
    return element(
      "div",
      { className: "coder-enterprise", style: { padding: "16px", overflowX: "auto" } },
      element(Summary, { object, ready: conditions.find((each) => each.type === "Ready") }),
      element(Heading, null, "Conditions"),
      element(Table, { names: ["", "Condition", "Reason", "Since", "Message"], rows: conditions.map(conditionCells) }),
      element(Heading, null, "Differences from Coder"),
      changes.length > 0
        ? element(Table, { names: ["Field", "In Coder", "Declared"], rows: changes.map(changeCells) })
        : element("p", null, nothingDiffers(conditions)),
    );
  }

  // Ready first, then what is not as it should be.
  function byImportance(one, other) {
    const rank = (each) => (each.type === "Ready" ? 0 : isWell(each) ? 2 : 1);
    return rank(one) - rank(other) || one.type.localeCompare(other.type);
  }

  function isWell(condition) {
    return condition.status === (ALARMS.includes(condition.type) ? "False" : "True");
  }

  function nothingDiffers(conditions) {
    const synced = conditions.find((each) => each.type === "Synced");
    if (synced && synced.status !== "True") {
      return "Not known, or not shown: see the condition Synced.";
    }
    return "None that wait to be applied.";
  }

  function Summary({ object, ready }) {
    const status = object.status || {};
    const generation = (object.metadata || {}).generation;
    const lines = [];
    if (ready) {
      lines.push(element("strong", null, `${mark(ready)} ${ready.reason}: `), ready.message || "");
    } else {
      lines.push("The operator has not seen this object yet.");
    }
    const facts = [];
    if (ready && status.observedGeneration !== generation) {
      facts.push("The operator has not seen the newest spec yet: what is shown here is about an older one.");
    }
    if (status.id) {
      facts.push(`In Coder: ${status.id}`);
    }
    const until = (object.spec || {}).suspendUntil;
    if (until) {
      facts.push(`Suspended until: ${until}`);
    }
    return element(
      "div",
      null,
      element("p", { style: TEXT }, ...lines),
      ...facts.map((fact) => element("p", { style: TEXT }, fact)),
    );
  }

  function Heading({ children }) {
    return element("h6", { style: { margin: "20px 0 8px" } }, children);
  }

  function Table({ names, rows }) {
    return element(
      "table",
      { style: { borderCollapse: "collapse", width: "100%" } },
      element("thead", null, row("th", names, { scope: "col" })),
      element("tbody", null, ...rows.map((cells) => row("td", cells))),
    );
  }

  function row(type, cells, attributes) {
    return element("tr", null, ...cells.map((cell) => element(type, { style: CELL, ...attributes }, cell)));
  }

  function mark(condition) {
    return MARKS[condition.status] || MARKS.Unknown;
  }

  function conditionCells(condition) {
    return [
      element("span", { title: condition.status }, mark(condition)),
      `${condition.type}: ${condition.status}`,
      condition.reason || "",
      condition.lastTransitionTime || "",
      element("span", { style: TEXT }, condition.message || ""),
    ];
  }

  function changeCells(change) {
    return [
      element("span", { style: CODE }, change.path),
      element(Value, { sign: "−", text: change.from }),
      element(Value, { sign: "+", text: change.to }),
    ];
  }

  function Value({ sign, text }) {
    if (text === undefined || text === null) {
      return element("span", { style: { opacity: 0.7 } }, "nothing");
    }
    const removed = sign === "−";
    return element(removed ? "del" : "ins", { style: { ...CODE, textDecoration: "none" } }, `${sign} ${text}`);
  }

  window.extensionsAPI.registerResourceExtension(Tab, GROUP, "*", "Coder", { icon: "fa fa-list-check" });
})(window);
