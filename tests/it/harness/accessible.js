// What keeps people from using a page: a list of complaints, empty when there are none.
// Contrast after WCAG 2.2, 1.4.3; names after 4.1.2; order of headings after 1.3.1.
(() => {
    const wrong = [];
    const all = (selector) => [...document.querySelectorAll(selector)];
    const say = (what, element) => wrong.push(`${what}: ${element.outerHTML.slice(0, 160)}`);
    const seen = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });

    if (!document.documentElement.lang) wrong.push('no language');
    if (!document.title.trim()) wrong.push('no title');
    if (all('main').length !== 1) wrong.push('not one main part');
    if (all('h1').length !== 1) wrong.push('not one first heading');
    let level = 0;
    for (const heading of all('h1, h2, h3, h4, h5, h6').filter(seen)) {
        const next = Number(heading.tagName[1]);
        if (next > level + 1) say('a heading skips a level', heading);
        level = next;
    }
    const ids = new Set();
    for (const element of all('[id]')) {
        if (ids.has(element.id)) say('an id is there twice', element);
        ids.add(element.id);
    }
    for (const element of all('[aria-labelledby], [aria-describedby], [aria-controls], label[for]')) {
        for (const name of ['aria-labelledby', 'aria-describedby', 'aria-controls', 'for']) {
            for (const id of (element.getAttribute(name) || '').split(/\s+/).filter(Boolean)) {
                if (!document.getElementById(id)) say(`${name} names nothing`, element);
            }
        }
    }
    const named = (element) => element.getAttribute('aria-label')?.trim()
        || element.getAttribute('aria-labelledby')
        || [...(element.labels || [])].some((label) => label.innerText.trim());
    for (const field of all('input:not([type=hidden]), select, textarea')) {
        if (!named(field)) say('a field without a name', field);
    }
    for (const element of all('a[href], button, summary')) {
        if (!element.textContent.trim() && !named(element)) say('nothing to read', element);
    }
    for (const image of all('img')) {
        if (!image.hasAttribute('alt')) say('an image without words', image);
    }
    for (const drawing of all('svg:not([aria-hidden=true])')) {
        if (drawing.getAttribute('role') !== 'img') say('a drawing that is no image', drawing);
        const title = drawing.querySelector('title')?.textContent.trim();
        if (!title && !named(drawing)) say('a drawing without words', drawing);
    }
    for (const table of all('table')) {
        if (!table.querySelector('th[scope]')) say('a table without headings', table);
    }
    // What scrolls sideways must be reached by keyboard.
    for (const element of all('main *').filter(seen)) {
        const style = getComputedStyle(element);
        if (/auto|scroll/.test(style.overflowX) && element.scrollWidth > element.clientWidth + 1
            && element.tabIndex < 0 && !element.querySelector('a[href], button')) {
            say('cannot be scrolled by keyboard', element);
        }
    }
    if (document.documentElement.scrollWidth > innerWidth + 1) {
        const wide = all('main *').find((element) => seen(element)
            && element.getBoundingClientRect().right > innerWidth + 1);
        wrong.push(`wider than the screen: ${document.documentElement.scrollWidth} of ${innerWidth}`
            + (wide ? `: ${wide.outerHTML.slice(0, 160)}` : ''));
    }

    const parse = (colour) => {
        const numbers = colour.match(/[\d.]+/g).map(Number);
        const scale = colour.startsWith('color(') ? 255 : 1;
        return [numbers[0] * scale, numbers[1] * scale, numbers[2] * scale, numbers[3] ?? 1];
    };
    const over = (top, under) => [0, 1, 2].map((n) => top[n] * top[3] + under[n] * (1 - top[3])).concat(1);
    const light = (colour) => {
        const part = (value) => {
            const share = value / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        };
        return 0.2126 * part(colour[0]) + 0.7152 * part(colour[1]) + 0.0722 * part(colour[2]);
    };
    const paper = (element) => {
        const layers = [];
        for (let at = element; at; at = at.parentElement) {
            layers.push(parse(getComputedStyle(at).backgroundColor));
        }
        const dark = matchMedia('(prefers-color-scheme: dark)').matches;
        let colour = dark ? [18, 18, 18, 1] : [255, 255, 255, 1];
        for (const layer of layers.reverse()) colour = over(layer, colour);
        return colour;
    };
    for (const element of all('body *').filter(seen)) {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
        if (!own) continue;
        const style = getComputedStyle(element);
        const drawn = element instanceof SVGElement;
        const ground = paper(element);
        const ink = over(parse(drawn && style.fill !== 'none' ? style.fill : style.color), ground);
        const [high, low] = [light(ink), light(ground)].sort((a, b) => b - a);
        const ratio = (high + 0.05) / (low + 0.05);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
        if (ratio < (large ? 3 : 4.5)) say(`contrast of ${ratio.toFixed(2)}`, element);
    }
    return wrong;
})()
