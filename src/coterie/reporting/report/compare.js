// Puts the curves of several runs over each other, and their lines beside their names in the table.

mountCurves();
for (const line of document.querySelectorAll('line[data-slot]')) line.setAttribute('stroke-dasharray', HATCHES[line.dataset.slot]);
