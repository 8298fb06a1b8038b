//! The figures as a drawing: one bar for each kind of event, stacked by whose time it is.
//!
//! Shares can be too thin to hold words, so what they are stands in a line of its own below each
//! bar, and nothing can overlap.

use std::fmt::Write;

use super::figures::Figures;
use super::parts::Owner;

/// The drawing's width, and the bars'; in pixels, as all here.
const WIDTH: f64 = 760.0;
const MARGIN: f64 = 20.0;
/// The height above the first bar's block, of a block, and of a bar.
const TOP: f64 = 70.0;
const BLOCK: f64 = 92.0;
const BAR: f64 = 28.0;

/// Text follows the reader's theme; the colours of the bars are seen on both.
const STYLE: &str = "\
text{font:13px sans-serif;fill:#24292f}.h{font-weight:bold}.s{fill:#57606a}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.s{fill:#9da7b3}}";

/// Returns an owner's colour.
const fn colour(owner: Owner) -> &'static str {
    match owner {
        Owner::LifeKeeper => "#8c959f",
        Owner::Kit => "#e5534b",
        Owner::Dovecot => "#4184e4",
        Owner::Client => "#46954a",
        Owner::Nobody => "#c69026",
    }
}

/// Draws the figures.
pub(super) fn svg(figures: &[Figures]) -> String {
    let room = WIDTH - 2.0 * MARGIN;
    let longest = figures.iter().map(|one| one.mean.as_secs_f64()).fold(0.001, f64::max);
    let scale = room / longest;
    let height = figures.iter().fold(TOP, |height, _| height + BLOCK);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n<title>Whose the mean downtime was</title>\n\
         <style>{STYLE}</style>\n\
         <text class=\"h\" x=\"{MARGIN}\" y=\"26\">Time without mail after a fault, and whose time it \
         is (means)</text>\n"
    );
    let mut x = MARGIN;
    for owner in Owner::ALL {
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"42\" width=\"12\" height=\"12\" fill=\"{}\"/>\
             <text x=\"{}\" y=\"53\">{}</text>",
            colour(owner),
            x + 18.0,
            owner.title()
        );
        // A letter is seldom wider.
        x += owner.title().chars().fold(42.0, |width, _| width + 8.0);
    }
    let mut y = TOP;
    for one in figures {
        let [median, min, max] = [one.median, one.min, one.max].map(|time| time.as_secs_f64());
        let _ = writeln!(
            svg,
            "<text x=\"{MARGIN}\" y=\"{}\"><tspan class=\"h\">{}</tspan>: {:.2} s; median {median:.2}, \
             {min:.2} to {max:.2} s, {} times</text>",
            y + 18.0,
            one.event.title(),
            one.mean.as_secs_f64(),
            one.times
        );
        let mut x = MARGIN;
        let mut words = Vec::new();
        for owner in Owner::ALL {
            let time = one.share(owner).as_secs_f64();
            let width = time * scale;
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.2}\" y=\"{}\" width=\"{width:.2}\" height=\"{BAR}\" fill=\"{}\"/>",
                y + 26.0,
                colour(owner)
            );
            x += width;
            if owner != Owner::Nobody || time >= 0.001 {
                words.push(format!("{} {time:.3}", owner.title()));
            }
        }
        let words = words.join(", ");
        let _ = writeln!(
            svg,
            "<text class=\"s\" x=\"{MARGIN}\" y=\"{}\">{words} s</text>",
            y + 26.0 + BAR + 17.0
        );
        y += BLOCK;
    }
    svg.push_str("</svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::super::Event;
    use super::super::figures::Sample;
    use super::super::parts::Part;
    use super::super::shares::Shares;
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_bars_of_the_longest_downtime_fill_the_width() {
        let [check, start] = [1000, 3000].map(Duration::from_millis);
        let parts = Shares::from([(Part::Check, check), (Part::Start, start)]);
        let sample = Sample { event: Event::Killed, downtime: check + start, parts };
        let figures = Figures::of(Event::Killed, &[sample]).expect("there is one");
        let svg = svg(&[figures]);
        for bar in
            ["x=\"20.00\" y=\"96\" width=\"180.00\"", "x=\"200.00\" y=\"96\" width=\"540.00\""]
        {
            assert!(svg.contains(bar), "{bar}\n{svg}");
        }
        assert!(
            svg.contains("LifeKeeper 1.000, dovecot-ark 0.000, Dovecot and systemd 3.000"),
            "{svg}"
        );
        assert!(!svg.contains("not assigned 0"), "{svg}");
    }
}
