//! The results as plots: a file for each group and unit, readable on white and on dark.

use std::fs;
use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::results::Results;
use crate::table::{number, rows, subjects, Row};

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/plots");

const WIDTH: u32 = 760;
const MARGIN: i32 = 16;
const TITLE: i32 = 34;
/// Of one bar, of the heading above those of a case, and the space below them.
const BAR: i32 = 17;
const HEADING: i32 = 22;
const GAP: i32 = 8;
/// Where bars begin, and how much is kept free for the numbers behind them.
const LEFT: i32 = 190;
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
        let name = name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
        let file = Path::new(DIRECTORY).join(name.to_lowercase() + ".svg");
        plot(section, &file).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(())
}

fn plot(section: &[Row], file: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let names = subjects(section.iter());
    let bars: usize = section.iter().map(|row| row.values().count()).sum();
    let height = TITLE + 2 * MARGIN + bars as i32 * BAR + section.len() as i32 * (HEADING + GAP);
    let most = section
        .iter()
        .flat_map(Row::values)
        .map(|(_, value)| value)
        .fold(f64::MIN_POSITIVE, f64::max);
    let area = SVGBackend::new(file, (WIDTH, height as u32)).into_drawing_area();
    let write = |text: &str, at: (i32, i32), size: i32, style: FontStyle, h: HPos| {
        let font = ("sans-serif", size, style).into_font().color(&TEXT);
        let font = font.pos(Pos::new(h, VPos::Center));
        area.draw(&Text::new(text.to_string(), at, font))
    };
    let title = format!("{}: {}", section[0].group, section[0].unit);
    write(
        &title,
        (MARGIN, MARGIN + 8),
        18,
        FontStyle::Bold,
        HPos::Left,
    )?;
    let mut y = MARGIN + TITLE;
    for row in section {
        write(
            &row.case,
            (MARGIN, y + HEADING / 2),
            14,
            FontStyle::Bold,
            HPos::Left,
        )?;
        y += HEADING;
        for name in &names {
            let Some(value) = row.value(name) else {
                continue;
            };
            let middle = y + BAR / 2;
            write(name, (LEFT - 8, middle), 13, FontStyle::Normal, HPos::Right)?;
            let length = value / most * f64::from(WIDTH as i32 - LEFT - NUMBERS);
            let color = match crate::targets::is_ours(name) {
                true => OURS,
                false => RIVALS,
            };
            let end = LEFT + (length as i32).max(1);
            let bar = [(LEFT, y + 2), (end, y + BAR - 2)];
            area.draw(&Rectangle::new(bar, color.filled()))?;
            write(
                &number(value),
                (end + 6, middle),
                13,
                FontStyle::Normal,
                HPos::Left,
            )?;
            y += BAR;
        }
        y += GAP;
    }
    area.present()?;
    Ok(())
}
