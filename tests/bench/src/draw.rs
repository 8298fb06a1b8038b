//! Draws bars and curves as SVG.

use std::io;
use std::path::Path;

use lab::{Error, Result};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::samples::shown;

/// The colours, seen well on white and told apart by people who see no red or no green.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 90, 181),
    RGBColor(213, 94, 0),
    RGBColor(230, 159, 0),
    RGBColor(110, 119, 129),
    RGBColor(0, 140, 105),
    RGBColor(170, 60, 140),
];
const INK: RGBColor = RGBColor(31, 35, 40);
const GRID: RGBColor = RGBColor(216, 222, 228);
const WIDTH: u32 = 800;
/// The height of a bar's row, and of the title and the legend.
const ROW: u32 = 24;
const HEAD: u32 = 64;
/// Left of the bars, for their names, and right of them, for their figures.
const NAMES: u32 = 180;
const FIGURES: u32 = 90;

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = std::result::Result<(), DrawingAreaErrorKind<io::Error>>;

/// A bar, or with none of the parts a heading.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bar {
    /// Written left of it.
    pub(crate) name: String,
    /// The colours and lengths, in seconds, that make it up.
    pub(crate) parts: Vec<(usize, f64)>,
    /// Where its whisker begins and ends.
    pub(crate) whisker: Option<(f64, f64)>,
    /// Written right of it.
    pub(crate) figure: String,
}

/// Draws horizontal bars, from top to bottom; the legend names the colours.
///
/// # Errors
///
/// When the file cannot be written.
pub(crate) fn bars(path: &Path, title: &str, legend: &[&str], bars: &[Bar]) -> Result<()> {
    let rows = u32::try_from(bars.len()).unwrap_or_default();
    let ends = bars.iter().map(|bar| {
        let length = bar.parts.iter().map(|part| part.1).sum();
        bar.whisker.map_or(length, |whisker| whisker.1.max(length))
    });
    let longest = ends.fold(f64::MIN_POSITIVE, f64::max);
    draw(path, title, legend, ROW * (rows + 2), |whole, body| {
        let mut chart = ChartBuilder::on(body)
            .margin_left(NAMES)
            .margin_right(FIGURES)
            .x_label_area_size(ROW)
            .build_cartesian_2d(0.0..longest, f64::from(rows)..0.0)?;
        (chart.configure_mesh().disable_y_mesh().y_labels(0).x_labels(6).light_line_style(WHITE))
            .bold_line_style(GRID)
            .axis_style(GRID)
            .label_style(text(13, HPos::Center))
            .x_label_formatter(&|x| round(*x))
            .draw()?;
        for (bar, row) in bars.iter().zip(0_u32..) {
            let (mut x, middle) = (0.0, f64::from(row) + 0.5);
            for (colour, length) in &bar.parts {
                let colour = COLOURS.get(*colour).unwrap_or(&INK).filled();
                let corners = [(x, middle - 0.32), (x + length, middle + 0.32)];
                chart.draw_series([Rectangle::new(corners, colour)])?;
                x += length;
            }
            if let Some((low, high)) = bar.whisker {
                chart.draw_series([PathElement::new([(low, middle), (high, middle)], INK)])?;
                x = x.max(high);
            }
            let (end, y) = chart.backend_coord(&(x, middle));
            let (place, side) =
                if bar.parts.is_empty() { (16, HPos::Left) } else { (172, HPos::Right) };
            whole.draw(&Text::new(bar.name.clone(), (place, y), text(14, side)))?;
            whole.draw(&Text::new(bar.figure.clone(), (end + 8, y), text(14, HPos::Left)))?;
        }
        Ok(())
    })
}

/// Draws curves where each step of an axis is ten times the one before; y is in seconds.
///
/// # Errors
///
/// As [`bars`].
pub(crate) fn curves(
    path: &Path,
    title: &str,
    (names, along): (&[&str], &str),
    curves: &[Vec<(f64, f64)>],
) -> Result<()> {
    let range = |pick: fn(&(f64, f64)) -> f64| {
        let all = curves.iter().flatten().map(pick);
        let (low, high) = all
            .fold((f64::MAX, f64::MIN_POSITIVE), |(low, high), one| (one.min(low), one.max(high)));
        (low / 1.3..high * 1.3).log_scale()
    };
    draw(path, title, names, 360, |_, body| {
        let mut chart = ChartBuilder::on(body)
            .margin(16)
            .x_label_area_size(48)
            .y_label_area_size(64)
            .build_cartesian_2d(range(|point| point.0), range(|point| point.1))?;
        (chart.configure_mesh().light_line_style(WHITE).bold_line_style(GRID).axis_style(GRID))
            .label_style(text(13, HPos::Center))
            .x_desc(along)
            .x_label_formatter(&|x| format!("{x:.0}"))
            .y_label_formatter(&|y| round(*y))
            .draw()?;
        for (points, colour) in curves.iter().zip(COLOURS) {
            chart.draw_series([PathElement::new(points.clone(), colour.stroke_width(2))])?;
            chart.draw_series(points.iter().map(|at| Circle::new(*at, 4, colour.filled())))?;
        }
        Ok(())
    })
}

/// Draws a title and a legend, and in the body below whatever `content` draws.
fn draw<F>(path: &Path, title: &str, legend: &[&str], height: u32, content: F) -> Result<()>
where
    F: FnOnce(&Canvas<'_>, &Canvas<'_>) -> Drawn,
{
    let whole = SVGBackend::new(path, (WIDTH, HEAD + height)).into_drawing_area();
    let drawn = || {
        whole.fill(&WHITE)?;
        whole.draw(&Text::new(title.to_owned(), (16, 18), text(17, HPos::Left)))?;
        for ((name, colour), x) in legend.iter().zip(COLOURS).zip((16..).step_by(190)) {
            whole.draw(&Rectangle::new([(x, 38), (x + 14, 52)], colour.filled()))?;
            whole.draw(&Text::new((*name).to_owned(), (x + 20, 46), text(14, HPos::Left)))?;
        }
        content(&whole, &whole.split_vertically(HEAD).1)?;
        whole.present()
    };
    drawn().map_err(|cause| Error::failed(format!("drawing {}", path.display()), cause.to_string()))
}

fn text(size: u32, begin: HPos) -> TextStyle<'static> {
    let style = TextStyle::from(("sans-serif", size).into_font()).color(&INK);
    style.pos(Pos::new(begin, VPos::Center))
}

/// Writes seconds that are round.
fn round(seconds: f64) -> String {
    shown(seconds).replace(".00 ", " ").replace(".0 ", " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_have_all_names_and_figures() {
        let folder = std::env::temp_dir();
        let file = |name: &str| folder.join(format!("bench-{}-{name}.svg", std::process::id()));
        let bar = |name: &str, first, second| Bar {
            name: name.into(),
            parts: vec![(0, first), (1, second)],
            whisker: Some((0.9 * first, first)),
            figure: shown(first + second),
        };
        let rows = [Bar { name: "with a & b".into(), ..Bar::default() }, bar("x", 0.5, 0.25)];
        bars(&file("bars"), "Title", &["one", "two"], &rows).expect("bars");
        let points = vec![(1.0, 0.002), (10.0, 0.003), (500.0, 2.5)];
        curves(&file("curves"), "Title", (&["grows"], "along"), &[points]).expect("curves");
        for (name, words) in [
            ("bars", &["Title", "one", "two", "with a &amp; b", "x", "750 ms"][..]),
            ("curves", &["Title", "along", "grows"]),
        ] {
            let svg = std::fs::read_to_string(file(name)).expect("a picture");
            std::fs::remove_file(file(name)).expect("removing it");
            let lines: Vec<&str> = svg.lines().map(str::trim).collect();
            assert!(words.iter().all(|word| lines.contains(word)), "{words:?}: {svg}");
        }
    }
}
