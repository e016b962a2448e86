//! One plot as SVG. Colours come from the page's stylesheet by class, so the same drawing serves
//! light, dark and paper.
//!
//! Text in an SVG shrinks with it, so each plot is drawn twice, for wide and for narrow columns,
//! and the stylesheet shows the one that fits.

use std::fmt::Write as _;

use super::{axis::Axis, words::Escaped};

/// How large one drawing is, in its own units: CSS pixels where it is shown at full size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub name: &'static str,
    pub width: f64,
    pub height: f64,
    pub x_ticks: usize,
    pub y_ticks: usize,
}

pub(super) const WIDE: Size = Size { name: "wide", width: 640.0, height: 260.0, x_ticks: 9, y_ticks: 5 };
pub(super) const NARROW: Size = Size { name: "narrow", width: 350.0, height: 240.0, x_ticks: 5, y_ticks: 4 };

/// Between the drawing's edge and the field, for titles and labels.
const LEFT: f64 = 50.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 44.0;

/// What is drawn. Points are (x, y) in the axes' units.
#[derive(Clone, Debug)]
pub(super) enum Mark {
    /// A line, and the area below it; a gap stands where one run of points ends.
    Area { runs: Vec<Vec<(f64, f64)>> },
    /// Columns: from, to, height.
    Columns { columns: Vec<(f64, f64, f64)> },
    /// A limit that changes in steps, with its name at its end; above it or below.
    Limit { points: Vec<(f64, f64)>, name: String, above: bool },
    /// An upright line at x, with its name.
    Post { x: f64, name: String },
}

/// A plot of figures over an axis of time.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    /// Of the markup's ids.
    pub id: &'static str,
    pub title: String,
    /// What one sees in it, for those who do not.
    pub described: String,
    pub x_title: String,
    pub y_title: String,
    pub x: Axis,
    pub y: Axis,
    pub marks: Vec<Mark>,
}

/// From the axes' units to the drawing's.
struct Field {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x_end: f64,
    y_end: f64,
}

impl Field {
    fn x(&self, x: f64) -> f64 {
        self.left + (x / self.x_end).clamp(0.0, 1.0) * (self.right - self.left)
    }

    fn y(&self, y: f64) -> f64 {
        self.bottom - (y / self.y_end).clamp(0.0, 1.0) * (self.bottom - self.top)
    }
}

impl Plot {
    pub(super) fn draw(&self, size: &Size) -> String {
        let (x_ticks, x_end) = self.x.ticks(size.x_ticks);
        let (y_ticks, y_end) = self.y.ticks(size.y_ticks);
        let field =
            Field { left: LEFT, right: size.width - RIGHT, top: TOP, bottom: size.height - BOTTOM, x_end, y_end };
        let mut svg = open(self.id, size, &self.title, &self.described);
        for (at, label) in &y_ticks {
            let y = field.y(*at);
            let class = if *at == 0.0 { "axis" } else { "grid" };
            line(&mut svg, class, (field.left, y), (field.right, y));
            text(&mut svg, "tick", "end", (field.left - 6.0, y + 4.0), label);
        }
        for (at, label) in &x_ticks {
            let x = field.x(*at);
            line(&mut svg, "axis", (x, field.bottom), (x, field.bottom + 4.0));
            text(&mut svg, "tick", "middle", (x, field.bottom + 18.0), label);
        }
        text(&mut svg, "name", "start", (2.0, 13.0), &self.y_title);
        text(&mut svg, "name", "end", (field.right, size.height - 6.0), &self.x_title);
        for mark in &self.marks {
            mark.draw(&mut svg, &field);
        }
        svg.push_str("</svg>");
        svg
    }
}

impl Mark {
    fn draw(&self, svg: &mut String, field: &Field) {
        match self {
            Self::Area { runs } => runs.iter().for_each(|run| area(svg, field, run)),
            Self::Columns { columns } => {
                for (from, to, height) in columns.iter().filter(|(_, _, height)| *height > 0.0) {
                    let (x, right, y) = (field.x(*from), field.x(*to), field.y(*height));
                    // a hair of space between neighbours, where there is room for it
                    let width = if right - x > 4.0 { right - x - 1.0 } else { right - x };
                    rectangle(svg, "column", (x, y), (width, field.bottom - y));
                }
            }
            Self::Limit { points, name, above } => {
                let Some((_, last)) = points.last() else {
                    return;
                };
                let points: Vec<_> = points.iter().map(|(x, y)| (field.x(*x), field.y(*y))).collect();
                path(svg, "limit", &points, false);
                let y = field.y(*last) + if *above { -6.0 } else { 15.0 };
                text(svg, "limit-name", "end", (field.right, y), name);
            }
            Self::Post { x, name } => {
                let at = field.x(*x);
                line(svg, "limit", (at, field.top), (at, field.bottom));
                let far = at > field.left + (field.right - field.left) * 0.75;
                let (anchor, beside) = if far { ("end", -5.0) } else { ("start", 5.0) };
                text(svg, "limit-name", anchor, (at + beside, field.top + 10.0), name);
            }
        }
    }
}

/// One run of points; a single one is a dot.
fn area(svg: &mut String, field: &Field, run: &[(f64, f64)]) {
    let points: Vec<_> = run.iter().map(|(x, y)| (field.x(*x), field.y(*y))).collect();
    let (Some((first, _)), Some((last, y))) = (points.first(), points.last()) else {
        return;
    };
    if points.len() == 1 {
        let _ = write!(svg, r#"<circle class="dot" cx="{last:.1}" cy="{y:.1}" r="3"/>"#);
        return;
    }
    let mut outline = points.clone();
    outline.extend([(*last, field.bottom), (*first, field.bottom)]);
    path(svg, "area", &outline, true);
    path(svg, "line", &points, false);
}

// writing to a String cannot fail, so the results below are let go

/// The head of a drawing with its text alternative.
pub(super) fn open(id: &str, size: &Size, title: &str, described: &str) -> String {
    let Size { name, width, height, .. } = size;
    format!(
        r#"<svg class="{name}" viewBox="0 0 {width} {height}" role="img" aria-labelledby="{id}-{name}-t" aria-describedby="{id}-{name}-d"><title id="{id}-{name}-t">{}</title><desc id="{id}-{name}-d">{}</desc>"#,
        Escaped(title),
        Escaped(described),
    )
}

pub(super) fn text(svg: &mut String, class: &str, anchor: &str, (x, y): (f64, f64), text: &str) {
    let text = Escaped(text);
    let _ = write!(svg, r#"<text class="{class}" text-anchor="{anchor}" x="{x:.1}" y="{y:.1}">{text}</text>"#);
}

pub(super) fn line(svg: &mut String, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
    let _ = write!(svg, r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#);
}

pub(super) fn rectangle(svg: &mut String, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
    let _ = write!(svg, r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"/>"#);
}

fn path(svg: &mut String, class: &str, points: &[(f64, f64)], closed: bool) {
    let mut d = String::new();
    for (index, (x, y)) in points.iter().enumerate() {
        let _ = write!(d, "{}{x:.1} {y:.1}", if index == 0 { "M" } else { "L" });
    }
    if closed {
        d.push('Z');
    }
    let _ = write!(svg, r#"<path class="{class}" d="{d}"/>"#);
}
