//! A ticket's text as a QR code, drawn as SVG: the same picture in the mail and on the page.

use std::fmt::Write as _;

use anyhow::Context as _;
use qrcode::{Color, EcLevel, QrCode};

/// Modules of white around the code (ISO/IEC 18004 asks for four).
const QUIET_ZONE: usize = 4;
/// Width of the picture where nothing else says so, in pixels.
const WIDTH_PX: u32 = 220;

/// A whole `<svg>` element, black on white whatever surrounds it: scanners want it so.
pub(crate) fn svg(text: &str) -> anyhow::Result<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).context("a QR code")?;
    let side = code.width() + 2 * QUIET_ZONE;
    let mut path = String::new();
    for (y, row) in code.to_colors().chunks(code.width()).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|one, next| one == next) {
            if run.first() == Some(&Color::Dark) {
                let (from, line, wide) = (x + QUIET_ZONE, y + QUIET_ZONE, run.len());
                write!(path, "M{from} {line}h{wide}v1h-{wide}z")?;
            }
            x += run.len();
        }
    }
    Ok(format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" class="qr" width="{WIDTH_PX}" height="{WIDTH_PX}" viewBox="0 0 {side} {side}" shape-rendering="crispEdges" aria-hidden="true"><path fill="#fff" d="M0 0h{side}v{side}H0z"/><path fill="#000" d="{path}"/></svg>"##
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dark_modules_are_all_there() {
        let text = "ONSALE1.e30.c2ln";
        let svg = svg(text).unwrap();
        let dark = QrCode::with_error_correction_level(text, EcLevel::M).unwrap();
        let dark = dark.to_colors().iter().filter(|color| **color == Color::Dark).count();
        let path = svg.rsplit_once("d=\"").unwrap().1;
        let drawn: usize = path
            .split('M')
            .skip(1)
            .map(|run| run.split_once('h').unwrap().1.split('v').next().unwrap().parse::<usize>().unwrap())
            .sum();
        assert_eq!(drawn, dark);
        assert!(svg.starts_with("<svg ") && !svg.contains("style="), "may stand inside a page");
    }
}
