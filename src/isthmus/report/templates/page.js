"use strict";
(function () {
  var map = document.querySelector(".map");
  if (!map) return;
  var readout = document.getElementById("map-readout");
  var hint = readout.textContent;
  function tell(event) {
    var point = event.target.closest ? event.target.closest("use") : null;
    var title = point && point.querySelector("title");
    readout.textContent = title ? title.textContent : hint;
  }
  map.addEventListener("pointerover", tell);
  map.addEventListener("click", tell);
  var buttons = document.querySelectorAll(".legend button");
  buttons.forEach(function (button) {
    button.addEventListener("click", function () {
      var on = button.getAttribute("aria-pressed") !== "true";
      buttons.forEach(function (other) { other.setAttribute("aria-pressed", "false"); });
      button.setAttribute("aria-pressed", String(on));
      map.classList.toggle("picked", on);
      map.querySelectorAll("g[data-cluster]").forEach(function (group) {
        group.classList.toggle("on", on && group.dataset.cluster === button.dataset.cluster);
      });
    });
  });
})();
