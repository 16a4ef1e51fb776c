//! Numbers over time as SVG, drawn by plotters: whole without a script, in the colours of the page.

use super::super::text::{shown, utc};
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::prelude::*;
use std::ops::Range;

/// What plotters is told to draw in, and what stands in the page instead: the page's own colours,
/// so that dark and light need no second picture.
const COLOURS: [(RGBColor, &str, &str); 3] = [
    (RGBColor(0, 0, 1), "\"#000001\"", "\"currentColor\""),
    (RGBColor(0, 0, 2), "\"#000002\"", "\"var(--chart)\""),
    (RGBColor(0, 0, 3), "\"#000003\"", "\"var(--line)\""),
];
const INK: RGBColor = COLOURS[0].0;
const LINE: RGBColor = COLOURS[1].0;
const GRID: RGBColor = COLOURS[2].0;
/// Units of a large chart's and a small one's picture.
const LARGE: (u32, u32) = (560, 200);
const SMALL: (u32, u32) = (240, 48);
/// Points that are drawn at most, and rows of the table beside the picture.
const POINTS: usize = 288;
const ROWS: usize = 24;

/// Numbers over time; slots that are missing are zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct Series<'a> {
    /// What it shows, such as "Hash rate"; may hold a name that a miner chose.
    pub(super) name: &'a str,
    /// Names the parts of the picture: of letters, digits and `-`.
    pub(super) id: &'a str,
    /// What is behind a number, such as "H/s"; empty: they are counts.
    pub(super) unit: &'a str,
    /// Slots by their begin, unix seconds, oldest first.
    pub(super) points: &'a [(u64, f64)],
    /// First and last moment, unix seconds.
    pub(super) span: (u64, u64),
    /// Seconds of a slot.
    pub(super) step: u64,
}

/// A chart as a page shows it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Chart {
    /// The picture, of markup that is safe.
    pub(super) svg: String,
    pub(super) name: String,
    /// The numbers' unit with its prefix.
    pub(super) unit: String,
    /// The latest and the highest in words.
    pub(super) words: String,
    /// Times and numbers, oldest first.
    pub(super) rows: Vec<(String, String)>,
}

/// A prefix that lets numbers up to this be read, and what it stands for.
fn prefix(most: f64) -> (&'static str, f64) {
    const ALL: [(&str, f64); 9] = [
        ("", 1.0),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
        ("Z", 1e21),
        ("Y", 1e24),
    ];
    ALL.into_iter().rev().find(|(_, size)| most >= *size).unwrap_or(("", 1.0))
}

/// A round number for the top of an axis that reaches `most`, and its fourth.
fn top(most: f64, counts: bool) -> (f64, f64) {
    let least = if counts { 4.0 } else { f64::MIN_POSITIVE };
    let most = if most.is_finite() && most > 0.0 { most.max(least) } else { 1.0_f64.max(least) };
    let size = 10_f64.powf(most.log10().floor());
    let fit = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0].into_iter().find(|it| it * size >= most * 0.999);
    let top = fit.unwrap_or(10.0) * size;
    let top = if counts { (top / 4.0).ceil() * 4.0 } else { top };
    (top, top / 4.0)
}

/// Every slot of the span, in at most [`POINTS`] means: seconds before its end, and the number.
#[expect(clippy::cast_precision_loss, reason = "for display")]
fn slots(series: &Series<'_>) -> Vec<(f64, f64)> {
    let (from, to) = series.span;
    let step = series.step.max(1);
    let first = from - from % step;
    let count = to.saturating_sub(first).div_ceil(step).max(1);
    let group = count.div_ceil(POINTS as u64).max(1);
    let mut sums = vec![0.0; usize::try_from(count.div_ceil(group)).unwrap_or(1)];
    for (at, value) in series.points {
        let place = at.checked_sub(first).map(|since| since / step / group);
        let place = place.and_then(|place| usize::try_from(place).ok());
        if let Some(sum) = place.and_then(|place| sums.get_mut(place))
            && value.is_finite()
        {
            *sum += value;
        }
    }
    let time = |n: usize| {
        let middle = first + (n as u64 * group * step) + group * step / 2;
        middle.min(to) as f64 - to as f64
    };
    let last = count - (count - 1) / group * group;
    let number = sums.len();
    let of = |n: usize| if n + 1 == number { last } else { group } as f64;
    sums.into_iter().enumerate().map(|(n, sum)| (time(n), sum / of(n))).collect()
}

/// Draws a large chart, with axes and a table, or a small one.
pub(super) fn draw(series: &Series<'_>, large: bool) -> Chart {
    let slots = slots(series);
    let most = slots.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let (prefix, size) = if series.unit.is_empty() { ("", 1.0) } else { prefix(most) };
    let unit = format!("{prefix}{}", series.unit);
    let scaled: Vec<(f64, f64)> = slots.iter().map(|(at, value)| (*at, value / size)).collect();
    let counts = series.unit.is_empty();
    let number = |value: f64| match counts {
        true => format!("{value:.0}"),
        false => format!("{value:.2} {unit}"),
    };
    let (_, to) = series.span;
    let last = scaled.last().map_or(0.0, |(_, value)| *value);
    let words = format!("now {}, at most {}", number(last), number(most / size));
    let mut svg = String::new();
    let bounds = top(most / size, counts);
    if let Err(error) = picture(&mut svg, &scaled, bounds, series, large) {
        log::warn!("the web site cannot draw a chart: {error}");
    }
    let every = scaled.len().div_ceil(ROWS).max(1);
    let rows = scaled.chunks(every).filter_map(|chunk| {
        let (at, _) = chunk.first()?;
        #[expect(clippy::cast_precision_loss, reason = "a few")]
        let mean = chunk.iter().map(|(_, value)| value).sum::<f64>() / chunk.len() as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds")]
        let before = (-at).max(0.0) as u64;
        let time = utc(to.saturating_sub(before));
        Some((time.get(..16).unwrap_or_default().to_owned(), number(mean)))
    });
    let rows = if large { rows.collect() } else { Vec::new() };
    let name = shown(series.name);
    let picture = dressed(&svg, series, &format!("{name}: {words}"), large);
    Chart { svg: picture, name, unit, words, rows }
}

/// An axis with marks where they are wanted.
struct Axis {
    span: Range<f64>,
    marks: Vec<f64>,
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    #[expect(clippy::cast_possible_truncation, reason = "within the picture")]
    fn map(&self, value: &f64, (first, last): (i32, i32)) -> i32 {
        let part = (value - self.span.start) / (self.span.end - self.span.start);
        let place = f64::from(first) + part.clamp(0.0, 1.0) * f64::from(last - first);
        place.round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.marks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.span.clone()
    }
}

/// What became of drawing.
type Drawn = Result<(), Box<dyn std::error::Error>>;

fn picture(
    svg: &mut String,
    slots: &[(f64, f64)],
    (top, step): (f64, f64),
    series: &Series<'_>,
    large: bool,
) -> Drawn {
    #[expect(clippy::cast_precision_loss, reason = "for display")]
    let begin = -(series.span.1.saturating_sub(series.span.0).max(1) as f64);
    let area = SVGBackend::with_string(svg, if large { LARGE } else { SMALL }).into_drawing_area();
    let mut builder = ChartBuilder::on(&area);
    if large {
        builder.margin_top(10).margin_right(12).x_label_area_size(30).y_label_area_size(48);
    } else {
        builder.margin_top(3).margin_bottom(1);
    }
    let times: Vec<f64> = (0..=4).map(|n| begin * f64::from(n) / 4.0).collect();
    let heights: Vec<f64> = (0..=4).map(|n| step * f64::from(n)).collect();
    let mut chart = builder.build_cartesian_2d(
        Axis { span: begin..0.0, marks: times },
        Axis { span: 0.0..top, marks: heights },
    )?;
    if large {
        let label = ("sans-serif", 13).into_font().color(&INK);
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .label_style(label)
            .x_label_formatter(&|at: &f64| before(-at))
            .y_label_formatter(&|height: &f64| short(*height))
            .draw()?;
    }
    let line = slots.iter().copied();
    chart.draw_series(AreaSeries::new(line.clone(), 0.0, LINE.mix(0.18)))?;
    chart.draw_series(LineSeries::new(line, LINE.stroke_width(2)))?;
    area.present()?;
    Ok(())
}

/// A time before now for an axis.
fn before(seconds: f64) -> String {
    match seconds {
        now if now < 1.0 => "now".to_owned(),
        minutes if minutes < 7200.0 => format!("\u{2212}{:.0} min", minutes / 60.0),
        hours if hours <= 2.0 * 86_400.0 => format!("\u{2212}{:.0} h", hours / 3600.0),
        days => format!("\u{2212}{:.0} d", days / 86_400.0),
    }
}

/// A number for an axis.
fn short(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The picture with its words, in the page's colours.
fn dressed(svg: &str, series: &Series<'_>, words: &str, large: bool) -> String {
    let (_, inner) = svg.split_once('>').unwrap_or_default();
    let (width, height) = if large { LARGE } else { SMALL };
    let (id, class) = (series.id, if large { "chart" } else { "spark" });
    let mut out = format!(
        "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-labelledby=\"{id}\" focusable=\"false\"><title id=\"{id}\">{}</title>{inner}",
        escaped(words)
    );
    for (_, drawn, meant) in COLOURS {
        out = out.replace(drawn, meant);
    }
    out
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn series<'a>(points: &'a [(u64, f64)], unit: &'a str) -> Series<'a> {
        let span = (1_700_000_000 - DAY, 1_700_000_000);
        Series { name: "<b>\u{202e}'rate", id: "c-1", unit, points, span, step: 600 }
    }

    #[test]
    fn a_chart_is_safe_and_has_no_styles_and_no_colours_of_its_own() {
        let points: Vec<_> = (0..144).map(|n| (1_699_914_000 + n * 600, n as f64 * 1e6)).collect();
        let chart = draw(&series(&points, "H/s"), true);
        for bad in ["<b>", "style", "\u{202e}", "#00000", "http", "<script", "NaN"] {
            assert!(!chart.svg.contains(bad), "{bad} in {}", chart.svg);
        }
        for fine in
            ["role=\"img\"", "<title id=\"c-1\">&lt;b&gt;\\u{202e}&#39;rate", "currentColor"]
        {
            assert!(chart.svg.contains(fine), "{fine} in {}", chart.svg);
        }
        assert_eq!(chart.svg.matches("<svg").count(), 1);
        assert!(chart.svg.trim_end().ends_with("</svg>"));
        assert_eq!(chart.unit, "MH/s");
        assert_eq!(chart.words, "now 143.00 MH/s, at most 143.00 MH/s");
        assert!((20..=25).contains(&chart.rows.len()), "{}", chart.rows.len());
    }

    #[test]
    fn any_numbers_are_drawn_within_bounds() {
        let odd = [f64::NAN, f64::INFINITY, -1.0, 0.0, f64::MAX, 1e-300];
        for value in odd {
            for count in [0, 1, 100_000] {
                let points: Vec<_> = (0..count).map(|n| (1_699_914_000 + n, value)).collect();
                let chart = draw(&series(&points, ""), false);
                assert!(chart.svg.len() < 20_000, "{}", chart.svg.len());
            }
        }
        let mut long = series(&[], "H/s");
        (long.span.0, long.step) = (0, 60);
        assert!(slots(&long).len() <= POINTS);
        long.span.1 = 0;
        assert_eq!(slots(&long), [(0.0, 0.0)]);
    }

    #[test]
    fn what_is_missing_is_zero_and_groups_are_means() {
        let points = [(1_699_999_800, 6.0)];
        let all = slots(&series(&points, ""));
        assert_eq!(all.iter().filter(|(_, value)| *value == 0.0).count(), all.len() - 1);
        assert_eq!(all.last().map(|(_, value)| *value), Some(6.0));
        let mut fine = series(&[], "");
        fine.step = 60;
        let points: Vec<_> = (0..1441).map(|n| (1_699_913_580 + n * 60, 6.0)).collect();
        fine.points = &points;
        let all = slots(&fine);
        assert!(all.len() <= POINTS && all.len() > POINTS / 2);
        assert!(all.iter().all(|(_, value)| (*value - 6.0).abs() < 1e-9), "{all:?}");
    }

    #[test]
    fn axes_end_at_round_numbers() {
        assert_eq!(top(143.0, false), (200.0, 50.0));
        assert_eq!(top(0.0, false), (1.0, 0.25));
        assert_eq!(top(0.0, true), (4.0, 1.0));
        assert_eq!(top(5.0, true), (8.0, 2.0));
        assert_eq!(top(0.33, false), (0.4, 0.1));
        assert_eq!(prefix(999.0), ("", 1.0));
        assert_eq!(prefix(2.5e9), ("G", 1e9));
    }
}
