//! Draws bars and curves as SVG, without a library.
//!
//! The pictures have a background of their own and follow the reader's choice of light or dark. Every text has
//! a place that no other text can take: rows are as high as their text, and a legend stands beside the
//! curves, not on them.

use std::fmt::Write;

use super::statistics::Spread;

const WIDTH: f64 = 800.0;
/// Between the edge and everything.
const MARGIN: f64 = 16.0;
/// The height of a line of text.
const LINE: f64 = 22.0;
/// The height of a heading.
const HEAD: f64 = 34.0;
/// Where bars begin; names stand left of it.
const BARS: f64 = 190.0;
/// What is left free at the right of the longest bar, for its figure.
const FIGURE: f64 = 80.0;
/// The height and the right end of the curves' field; the legend stands beside it.
const FIELD: f64 = 320.0;
const FIELD_LEFT: f64 = 84.0;
const FIELD_RIGHT: f64 = 580.0;

/// Colours of paper, text, soft text, grid; then those of bars and curves: on light and on dark.
const LIGHT: ([&str; 4], [&str; 6]) = (
    ["#ffffff", "#1f2328", "#59636e", "#d1d9e0"],
    ["#0969da", "#bc4c00", "#8250df", "#6e7781", "#1a7f37", "#bf3989"],
);
const DARK: ([&str; 4], [&str; 6]) = (
    ["#0d1117", "#e6edf3", "#9198a1", "#3d444d"],
    ["#4493f8", "#db6d28", "#ab7df8", "#9198a1", "#3fb950", "#db61a2"],
);
/// What is the same on both.
const STYLE: &str = "\
text { font: 13px system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif }
.title { font-size: 16px; font-weight: 600 }
.part { font-weight: 600 }
.whisker { stroke-width: 1.5 }
.curve { fill: none; stroke-width: 2.25 }
";

/// A bar with its name; its end is the median, its whisker the middle half of the runs.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    /// Written left of it.
    pub(super) name: String,
    /// In seconds.
    pub(super) spread: Spread,
    /// Which of the colours.
    pub(super) colour: usize,
}

/// Bars under a heading of their own.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// The heading.
    pub(super) title: String,
    /// From top to bottom.
    pub(super) bars: Vec<Bar>,
}

/// A curve, its points by their x.
#[derive(Clone, Debug)]
pub(super) struct Track {
    /// Its lines in the legend.
    pub(super) name: Vec<String>,
    /// The x, and the y in seconds; both above 0.
    pub(super) points: Vec<(f64, Spread)>,
    /// Which of the colours.
    pub(super) colour: usize,
}

/// Draws bars on one axis that begins at 0.
pub(super) fn bars(title: &str, parts: &[Part]) -> String {
    let rows: usize = parts.iter().map(|part| part.bars.len()).sum();
    let height = 2.0 * MARGIN + HEAD + LINE * count(rows + 1) + HEAD * count(parts.len());
    let ends = parts.iter().flat_map(|part| &part.bars).map(|bar| bar.spread.upper);
    let longest = ends.fold(0.0, f64::max);
    let step = step(longest);
    let room = WIDTH - MARGIN - FIGURE - BARS;
    let at = |value: f64| BARS + value / longest.max(f64::MIN_POSITIVE) * room;
    let mut svg = begin(title, height);
    let (top, bottom) = (MARGIN + HEAD, height - MARGIN - LINE);
    for tick in ticks(step, longest) {
        let x = at(tick);
        line(&mut svg, "grid", (x, top), (x, bottom));
        text(&mut svg, "soft", "middle", (x, bottom + 16.0), &round(tick));
    }
    let mut y = top;
    for part in parts {
        text(&mut svg, "part", "start", (MARGIN, y + HEAD - 10.0), &part.title);
        y += HEAD;
        for bar in &part.bars {
            let (spread, middle) = (&bar.spread, y + LINE / 2.0);
            text(&mut svg, "", "end", (BARS - 8.0, middle + 4.5), &bar.name);
            let _ = writeln!(
                svg,
                "<rect class=\"bar c{}\" x=\"{BARS}\" y=\"{:.1}\" width=\"{:.1}\" height=\"14\"/>",
                bar.colour,
                middle - 7.0,
                at(spread.median) - BARS
            );
            let (low, high) = (at(spread.lower), at(spread.upper));
            line(&mut svg, "whisker", (low, middle), (high, middle));
            let place = (high.max(at(spread.median)) + 7.0, middle + 4.5);
            text(&mut svg, "", "start", place, &shown(spread.median));
            y += LINE;
        }
    }
    end(svg)
}

/// Draws curves where each step of an axis is ten times the one before.
pub(super) fn curves(title: &str, along: &str, tracks: &[Track]) -> String {
    let height = 2.0 * MARGIN + HEAD + FIELD + 2.0 * LINE + 4.0;
    let all = || tracks.iter().flat_map(|track| &track.points);
    let x_axis = Decades::around(all().map(|(x, _)| *x));
    let y_axis = Decades::around(all().flat_map(|(_, y)| [y.lower, y.upper]));
    let (top, bottom) = (MARGIN + HEAD, MARGIN + HEAD + FIELD);
    let x_at = |x: f64| FIELD_LEFT + x_axis.place(x) * (FIELD_RIGHT - FIELD_LEFT);
    let y_at = |y: f64| bottom - y_axis.place(y) * FIELD;
    let mut svg = begin(title, height);
    for tick in x_axis.ticks() {
        line(&mut svg, "grid", (x_at(tick), top), (x_at(tick), bottom));
        text(&mut svg, "soft", "middle", (x_at(tick), bottom + 22.0), &format!("{tick:.0}"));
    }
    for tick in y_axis.ticks() {
        line(&mut svg, "grid", (FIELD_LEFT, y_at(tick)), (FIELD_RIGHT, y_at(tick)));
        text(&mut svg, "soft", "end", (FIELD_LEFT - 8.0, y_at(tick) + 4.5), &round(tick));
    }
    let middle = f64::midpoint(FIELD_LEFT, FIELD_RIGHT);
    text(&mut svg, "", "middle", (middle, bottom + 22.0 + LINE), along);
    let mut y = top + LINE / 2.0;
    for track in tracks {
        let points: Vec<String> = (track.points.iter())
            .map(|(x, y)| format!("{:.1},{:.1}", x_at(*x), y_at(y.median)))
            .collect();
        let class = format!("curve c{}", track.colour);
        let _ = writeln!(svg, "<polyline class=\"{class}\" points=\"{}\"/>", points.join(" "));
        for (x, spread) in &track.points {
            let x = x_at(*x);
            let band = format!("band c{}", track.colour);
            line(&mut svg, &band, (x, y_at(spread.lower)), (x, y_at(spread.upper)));
            mark(&mut svg, track.colour, (x, y_at(spread.median)));
        }
        line(&mut svg, &class, (FIELD_RIGHT + 20.0, y), (FIELD_RIGHT + 44.0, y));
        mark(&mut svg, track.colour, (FIELD_RIGHT + 32.0, y));
        for (at, words) in track.name.iter().enumerate() {
            let class = if at == 0 { "" } else { "soft" };
            text(&mut svg, class, "start", (FIELD_RIGHT + 52.0, y + 4.5), words);
            y += LINE - 4.0;
        }
        y += 10.0;
    }
    end(svg)
}

/// An axis from one power of ten to another.
struct Decades {
    low: f64,
    high: f64,
}

impl Decades {
    /// The narrowest such axis with room for all values.
    fn around(values: impl Iterator<Item = f64>) -> Self {
        let (least, most) = values.fold((f64::INFINITY, 0.0_f64), |(least, most), value| {
            (least.min(value), most.max(value))
        });
        let usable = least.is_finite() && least > 0.0 && most.is_finite();
        let (least, most) = if usable { (least, most) } else { (1.0, 10.0) };
        let low = least.log10().floor();
        Self { low, high: most.log10().ceil().max(low + 1.0) }
    }

    /// Where a value stands, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let power = if value > 0.0 { value.log10() } else { self.low };
        ((power - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> + use<> {
        let (mut power, high) = (self.low, self.high);
        std::iter::from_fn(move || {
            let tick = (power <= high).then(|| 10.0_f64.powf(power));
            power += 1.0;
            tick
        })
    }
}

/// The distance of an axis' marks: 1, 2 or 5 times a power of ten, with at most six of them.
fn step(longest: f64) -> f64 {
    let mut step = 1e-6;
    for factor in [2.0, 2.5, 2.0].into_iter().cycle().take(60) {
        if longest / step <= 6.0 {
            break;
        }
        step *= factor;
    }
    step
}

fn ticks(step: f64, longest: f64) -> impl Iterator<Item = f64> {
    let all = (0_u32..).map(move |number| f64::from(number) * step);
    all.take_while(move |tick| *tick <= longest * (1.0 + 1e-9))
}

/// Writes seconds in the unit that fits, with as few digits as tell them apart.
pub(super) fn shown(seconds: f64) -> String {
    let (value, unit) = match seconds.abs() {
        size if size >= 1.0 => (seconds, "s"),
        size if size >= 1e-3 || size <= 0.0 => (seconds * 1e3, "ms"),
        _ => (seconds * 1e6, "µs"),
    };
    match value.abs() {
        size if size >= 99.95 => format!("{value:.0} {unit}"),
        size if size >= 9.995 => format!("{value:.1} {unit}"),
        size if size <= 0.0 => "0".to_owned(),
        _ => format!("{value:.2} {unit}"),
    }
}

/// The same for a round value: without zeros behind the point.
fn round(seconds: f64) -> String {
    let text = shown(seconds);
    match text.split_once(' ') {
        Some((number, unit)) if number.contains('.') => {
            format!("{} {unit}", number.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}

/// The rules of one set of colours, without variables, which not every viewer understands.
fn rules(([paper, ink, soft, grid], colours): ([&str; 4], [&str; 6])) -> String {
    let mut rules = format!(
        ".paper {{ fill: {paper} }} text {{ fill: {ink} }} .soft {{ fill: {soft} }}\n\
         .grid {{ stroke: {grid} }} .whisker {{ stroke: {ink} }}\n"
    );
    for (number, colour) in colours.iter().enumerate() {
        let _ = writeln!(
            rules,
            ".bar.c{number}, .mark.c{number} {{ fill: {colour} }} \
             .curve.c{number}, .band.c{number} {{ stroke: {colour} }}"
        );
    }
    rules
}

fn begin(title: &str, height: f64) -> String {
    let (light, dark) = (rules(LIGHT), rules(DARK));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n<title>{}</title>\n\
         <style>\n{STYLE}{light}@media (prefers-color-scheme: dark) {{\n{dark}}}\n</style>\n\
         <rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\" rx=\"6\"/>\n",
        escaped(title)
    );
    text(&mut svg, "title", "start", (MARGIN, MARGIN + 16.0), title);
    svg
}

fn end(mut svg: String) -> String {
    svg.push_str("</svg>\n");
    svg
}

fn line(svg: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(
        svg,
        "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
    );
}

fn mark(svg: &mut String, colour: usize, (x, y): (f64, f64)) {
    let _ = writeln!(svg, "<circle class=\"mark c{colour}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>");
}

fn text(svg: &mut String, class: &str, anchor: &str, (x, y): (f64, f64), words: &str) {
    let _ = writeln!(
        svg,
        "<text class=\"{class}\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
        escaped(words)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(value: f64) -> Spread {
        Spread::of(vec![value * 0.9, value, value * 1.2]).expect("values")
    }

    /// The numbers of an attribute in all elements of a kind.
    fn all(svg: &str, element: &str, attribute: &str) -> Vec<f64> {
        let key = format!(" {attribute}=\"");
        svg.lines()
            .filter(|line| line.starts_with(&format!("<{element} ")))
            .map(|line| {
                let value = line.split(&key).nth(1).expect(attribute);
                value.split('"').next().expect("a value").parse().expect("a number")
            })
            .collect()
    }

    #[test]
    fn bars_are_as_long_as_their_medians_and_each_has_its_row() {
        let bar = |name: &str, value| Bar { name: name.into(), spread: spread(value), colour: 0 };
        let part = |title: &str| Part {
            title: title.into(),
            bars: vec![bar("a & b", 0.01), bar("twice", 0.02)],
        };
        let svg = bars("all", &[part("one"), part("two")]);
        let mut widths = all(&svg.replace("<rect class=\"paper\"", "<paper"), "rect", "width");
        assert_eq!(widths.len(), 4);
        assert!((widths[1] / widths[0] - 2.0).abs() < 0.01, "{widths:?}");
        widths.dedup();
        let mut rows = all(&svg.replace("<rect class=\"paper\"", "<paper"), "rect", "y");
        rows.dedup();
        assert_eq!(rows.len(), 4);
        assert!(rows.windows(2).all(|two| two[1] - two[0] >= LINE), "{rows:?}");
        assert!(svg.contains("a &amp; b") && svg.contains("20.0 ms"), "{svg}");
    }

    #[test]
    fn everything_stands_inside_of_the_picture() {
        let track = |name: &str, base: f64, colour| Track {
            name: vec![name.into(), "-10.5 µs per process".into()],
            points: [1.0, 10.0, 500.0].map(|x| (x, spread(base * x))).into(),
            colour,
        };
        let svg = curves("growth", "entries", &[track("one", 1e-5, 0), track("two", 3e-3, 1)]);
        for (element, attribute) in [("circle", "cx"), ("line", "x1"), ("text", "x")] {
            let seen = all(&svg, element, attribute);
            assert!(seen.iter().all(|x| (0.0..=WIDTH).contains(x)), "{element}: {seen:?}");
        }
        // No letter of this size is wider than 8.
        let mut ends =
            svg.lines().filter(|line| line.contains("text-anchor=\"start\"")).map(|line| {
                let words = line.split(['<', '>']).nth(2).expect("words").chars().count();
                all(line, "text", "x")[0] + 8.0 * f64::from(u32::try_from(words).expect("a few"))
            });
        assert!(ends.all(|end| end <= WIDTH), "{svg}");
        let heights = all(&svg, "circle", "cy");
        assert!(heights.iter().all(|y| (0.0..=MARGIN + HEAD + FIELD).contains(y)), "{heights:?}");
        // The points and one mark in the legend for each.
        assert_eq!(heights.len(), 8);
    }

    #[test]
    fn texts_of_a_column_do_not_stand_on_each_other() {
        let track = |colour| Track {
            name: vec!["a".into(), "b".into()],
            points: vec![(1.0, spread(1e-3)), (1000.0, spread(2.0))],
            colour,
        };
        let svg = curves("growth", "entries", &[track(0), track(1), track(2)]);
        let (xs, ys) = (all(&svg, "text", "x"), all(&svg, "text", "y"));
        for (at, one) in xs.iter().zip(&ys).enumerate() {
            for other in xs.iter().zip(&ys).skip(at + 1) {
                let near = (one.0 - other.0).abs() < 20.0 && (one.1 - other.1).abs() < 14.0;
                assert!(!near, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn an_axis_of_decades_holds_all_and_puts_each_decade_equally_far() {
        let axis = Decades::around([0.02, 3.0].into_iter());
        let ticks: Vec<String> = axis.ticks().map(|tick| format!("{tick:.2}")).collect();
        assert_eq!(ticks, ["0.01", "0.10", "1.00", "10.00"]);
        let places = [0.01, 0.1, 10.0].map(|value| axis.place(value));
        assert!((places[1] - 1.0 / 3.0).abs() < 1e-9, "{places:?}");
        assert!(places[0].abs() < 1e-9 && (places[2] - 1.0).abs() < 1e-9, "{places:?}");
        assert_eq!(Decades::around([].into_iter()).ticks().count(), 2);
    }

    #[test]
    fn an_axis_from_nothing_has_a_few_round_marks() {
        for (longest, expected) in [(0.024, 0.005), (8.0, 2.0), (0.0009, 0.0002), (6.0, 1.0)] {
            let step = step(longest);
            assert!((step / expected - 1.0).abs() < 1e-6, "{longest}: {step}");
            assert!((2..=7).contains(&ticks(step, longest).count()), "{longest}");
        }
    }

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        let cases = [
            (0.0, "0"),
            (1.5e-6, "1.50 µs"),
            (0.000_25, "250 µs"),
            (0.001, "1.00 ms"),
            (0.0213, "21.3 ms"),
            (0.2, "200 ms"),
            (2.0, "2.00 s"),
            (-0.002, "-2.00 ms"),
        ];
        for (seconds, text) in cases {
            assert_eq!(shown(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn round_figures_have_no_zeros_behind_the_point() {
        for (seconds, text) in [(0.0, "0"), (2.0, "2 s"), (0.1, "100 ms"), (0.002_5, "2.5 ms")] {
            assert_eq!(round(seconds), text);
        }
    }
}
