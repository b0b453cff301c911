//! The results as plots: a file for each group and unit, readable on white and on dark.

use std::fs;
use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::results::Results;
use crate::table::{number, rows, subjects, Row};
use crate::targets::is_ours;

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/plots");

const WIDTH: u32 = 760;
const MARGIN: i32 = 16;
const TITLE: i32 = 34;
/// Of one bar, of the heading above those of a case, and the space below them.
const BAR: i32 = 20;
const HEADING: i32 = 26;
const GAP: i32 = 8;
/// Where bars begin, and how much is kept free for the numbers behind them.
const LEFT: i32 = 220;
const NUMBERS: i32 = 80;

/// A grey with the same contrast to white as to a dark page.
const TEXT: RGBColor = RGBColor(0x76, 0x76, 0x76);
/// This crate, and everyone else.
const OURS: RGBColor = RGBColor(0xe8, 0x59, 0x0c);
const RIVALS: RGBColor = RGBColor(0x4d, 0x8f, 0xcc);

/// Draws all.
pub fn draw(results: &Results) -> Result<(), String> {
    fs::create_dir_all(DIRECTORY).map_err(|error| format!("{DIRECTORY}: {error}"))?;
    let rows = rows(results);
    for section in rows.chunk_by(Row::is_beside) {
        let name = format!("{} {}", section[0].group, section[0].unit);
        let name = name
            .replace('µ', "u")
            .replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
        let file = Path::new(DIRECTORY).join(name.to_lowercase() + ".svg");
        plot(section, &rows, &file).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(())
}

/// Where things are drawn.
type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Failed = Box<dyn std::error::Error>;

fn plot(section: &[Row], rows: &[Row], file: &Path) -> Result<(), Failed> {
    let names = subjects(section.iter());
    let bars: usize = section.iter().map(|row| row.values().count()).sum();
    let height = TITLE + 2 * MARGIN + bars as i32 * BAR + section.len() as i32 * (HEADING + GAP);
    let numbers = section.iter().flat_map(|row| {
        let most = names.iter().filter_map(|name| Some(row.range(name)?.1));
        most.chain(row.bounds(rows)).collect::<Vec<_>>()
    });
    let scale =
        f64::from(WIDTH as i32 - LEFT - NUMBERS) / numbers.fold(f64::MIN_POSITIVE, f64::max);
    let x = |value: f64| LEFT + (value * scale) as i32;
    let area = SVGBackend::new(file, (WIDTH, height as u32)).into_drawing_area();
    let title = format!("{}: {}", section[0].group, section[0].unit);
    write(&area, &title, (MARGIN, MARGIN + 8), Style::Title)?;
    let has_bounds = section.iter().any(|row| !row.bounds(rows).is_empty());
    let has_ranges = section
        .iter()
        .flat_map(|row| &row.results)
        .any(|result| result.runs > 1);
    let legend = match (has_bounds, has_ranges) {
        (true, true) => "— least to most;  | to be reached",
        (true, false) => "| to be reached",
        (false, true) => "— least to most",
        (false, false) => "",
    };
    if !legend.is_empty() {
        write(
            &area,
            legend,
            (WIDTH as i32 - MARGIN, MARGIN + 8),
            Style::Right,
        )?;
    }
    let mut y = MARGIN + TITLE;
    for row in section {
        write(&area, &row.case, (MARGIN, y + HEADING / 2), Style::Heading)?;
        y += HEADING;
        for name in &names {
            let Some((value, (least, most))) = row.value(name).zip(row.range(name)) else {
                continue;
            };
            let middle = y + BAR / 2;
            write(&area, name, (LEFT - 8, middle), Style::Right)?;
            let color = if is_ours(name) { OURS } else { RIVALS };
            let bar = [(LEFT, y + 2), (x(value).max(LEFT + 1), y + BAR - 2)];
            area.draw(&Rectangle::new(bar, color.filled()))?;
            let range = vec![(x(least), middle), (x(most), middle)];
            area.draw(&PathElement::new(range, TEXT.stroke_width(2)))?;
            let mut end = x(value.max(most));
            if *name == crate::targets::OURS {
                for bound in row.bounds(rows) {
                    let line = vec![(x(bound), y - 2), (x(bound), y + BAR + 2)];
                    area.draw(&PathElement::new(line, TEXT.stroke_width(3)))?;
                    end = end.max(x(bound));
                }
            }
            write(&area, &number(value), (end + 7, middle), Style::Left)?;
            y += BAR;
        }
        y += GAP;
    }
    area.present()?;
    Ok(())
}

/// How a text is written.
#[derive(Clone, Copy)]
enum Style {
    Title,
    Heading,
    /// What ends at its place.
    Right,
    /// What begins there.
    Left,
}

fn write(area: &Area, text: &str, at: (i32, i32), style: Style) -> Result<(), Failed> {
    let (size, weight, side) = match style {
        Style::Title => (21, FontStyle::Bold, HPos::Left),
        Style::Heading => (17, FontStyle::Bold, HPos::Left),
        Style::Right => (16, FontStyle::Normal, HPos::Right),
        Style::Left => (16, FontStyle::Normal, HPos::Left),
    };
    let font = ("sans-serif", size, weight).into_font().color(&TEXT);
    let font = font.pos(Pos::new(side, VPos::Center));
    area.draw(&Text::new(text.to_string(), at, font))?;
    Ok(())
}
