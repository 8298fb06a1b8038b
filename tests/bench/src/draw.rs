//! Draws bars as SVG.

use std::io;
use std::path::Path;

use lab::{Error, Result};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::samples::shown;

/// The colours, seen well on white and told apart by people who see no red or no green.
const COLOURS: [RGBColor; 5] = [
    RGBColor(0, 90, 181),
    RGBColor(213, 94, 0),
    RGBColor(230, 159, 0),
    RGBColor(110, 119, 129),
    RGBColor(0, 140, 105),
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

/// Draws horizontal bars, from top to bottom; the legend names the colours, `axis` what is measured.
pub(crate) fn bars(
    path: &Path,
    title: &str,
    axis: &str,
    legend: &[&str],
    bars: &[Bar],
) -> Result<()> {
    let rows = u32::try_from(bars.len()).unwrap_or_default();
    let ends = bars.iter().map(|bar| {
        let length = bar.parts.iter().map(|part| part.1).sum();
        bar.whisker.map_or(length, |whisker| whisker.1.max(length))
    });
    let longest = ends.fold(f64::MIN_POSITIVE, f64::max);
    let whole = SVGBackend::new(path, (WIDTH, HEAD + ROW * (rows + 3))).into_drawing_area();
    let draw = || -> std::result::Result<(), DrawingAreaErrorKind<io::Error>> {
        whole.fill(&WHITE)?;
        whole.draw(&Text::new(title.to_owned(), (16, 18), text(17, HPos::Left)))?;
        for ((name, colour), x) in legend.iter().zip(COLOURS).zip((16..).step_by(156)) {
            whole.draw(&Rectangle::new([(x, 38), (x + 14, 52)], colour.filled()))?;
            whole.draw(&Text::new((*name).to_owned(), (x + 20, 46), text(14, HPos::Left)))?;
        }
        let mut chart = ChartBuilder::on(&whole.split_vertically(HEAD).1)
            .margin_left(NAMES)
            .margin_right(FIGURES)
            .x_label_area_size(2 * ROW)
            .build_cartesian_2d(0.0..longest, f64::from(rows)..0.0)?;
        (chart.configure_mesh().disable_y_mesh().y_labels(0).x_labels(6).light_line_style(WHITE))
            .bold_line_style(GRID)
            .axis_style(GRID)
            .label_style(text(13, HPos::Center))
            .x_label_formatter(&|x| label(*x))
            .x_desc(axis)
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
        whole.present()
    };
    draw().map_err(|cause| Error::failed(format!("drawing {}", path.display()), cause.to_string()))
}

/// A label of the axis: a time in its unit without a fraction that is none; the beginning is `0`.
fn label(seconds: f64) -> String {
    if seconds == 0.0 {
        return "0".to_owned();
    }
    shown(seconds).replace(".00 ", " ").replace(".0 ", " ")
}

fn text(size: u32, begin: HPos) -> TextStyle<'static> {
    let style = TextStyle::from(("sans-serif", size).into_font()).color(&INK);
    style.pos(Pos::new(begin, VPos::Center))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_all_names_and_figures() {
        let file = std::env::temp_dir().join(format!("bench-{}.svg", std::process::id()));
        let bar = Bar {
            name: "x".into(),
            parts: vec![(0, 0.5), (1, 0.25)],
            whisker: Some((0.45, 0.8)),
            figure: "750 ms".into(),
        };
        let rows = [Bar { name: "with a & b".into(), ..Bar::default() }, bar];
        bars(&file, "Title", "time", &["one", "two"], &rows).expect("a picture");
        let svg = std::fs::read_to_string(&file).expect("the picture");
        std::fs::remove_file(&file).expect("removing it");
        for word in ["Title", "time", "0", "one", "two", "with a &amp; b", "x", "750 ms"] {
            assert!(svg.lines().any(|line| line.trim() == word), "{word}: {svg}");
        }
    }
}
